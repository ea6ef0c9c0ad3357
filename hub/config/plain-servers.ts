import { MAX_SERVER_NAME, hasNoCredentials, isHttpUrl, type ServersFile } from '../contract/index.ts'
import { prefixCollisions } from './server-names.ts'

/**
 * `servers.json` when it holds nothing but what every client writes: programs with arguments and environment, and addresses
 * with headers. All of that is known to be valid without the schemas, which cost more to load than anything else at the start
 * of the hub. Null says nothing: then the schemas decide, and tell what is wrong.
 */
export function plainServers(value: unknown): ServersFile | null {
  if (!isRecord(value) || !hasOnly(value, ['mcpServers']) || !isRecord(value['mcpServers'])) return null
  const entries = Object.entries(value['mcpServers'])
  if (!entries.every(([name, entry]) => isPlainName(name) && (isPlainProgram(entry) || isPlainAddress(entry))))
    return null
  const names = entries.map(([name]) => name)
  const collisions = prefixCollisions(names, null, () => ({ line: null, column: null }))
  return collisions.length === 0 ? (value as ServersFile) : null
}

const isPlainName = (name: string): boolean => name.length <= MAX_SERVER_NAME && /^[A-Za-z0-9][A-Za-z0-9-]*$/.test(name)

function isPlainProgram(entry: unknown): boolean {
  if (!isRecord(entry) || !hasOnly(entry, ['type', 'command', 'args', 'env', 'cwd'])) return false
  const { type = 'stdio', command, args = [], env = {}, cwd = '' } = entry
  return (
    type === 'stdio' &&
    isProcessText(command) &&
    command !== '' &&
    Array.isArray(args) &&
    args.every(isProcessText) &&
    isRecord(env) &&
    Object.entries(env).every(([name, text]) => /^\w+$/.test(name) && isProcessText(text)) &&
    isProcessText(cwd)
  )
}

function isPlainAddress(entry: unknown): boolean {
  if (!isRecord(entry) || !hasOnly(entry, ['type', 'url', 'headers'])) return false
  const { type = 'http', url, headers = {} } = entry
  return (
    (type === 'http' || type === 'streamable-http' || type === 'sse') &&
    typeof url === 'string' &&
    isHttpUrl(url) &&
    hasNoCredentials(url) &&
    isRecord(headers) &&
    Object.values(headers).every((text) => typeof text === 'string')
  )
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const hasOnly = (value: object, keys: readonly string[]): boolean =>
  Object.keys(value).every((key) => keys.includes(key))

const isProcessText = (value: unknown): value is string => typeof value === 'string' && !value.includes('\0')
