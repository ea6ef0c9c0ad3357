import {
  serverConfigSchemaFor,
  serverNameSchema,
  type Fault,
  type LiftedText,
  type ParsedPaste,
  type ServerConfig,
} from '../contract/index.ts'
import { say, told, type Said } from '../say.ts'
import { parseJsonc } from './jsonc.ts'
import { parseServersFile } from './parse-servers.ts'

const CLIENT_KEYS = ['mcpServers', 'servers', 'context_servers', 'mcp_servers']

/**
 * Makes sense of what a person pasted: a client's JSON file or a part of it, one entry, a command line (also
 * `claude mcp add …` style with environment in front), or a URL. Pure; nothing is saved.
 */
export function parsePaste(
  text: string,
  existing: readonly string[],
  secretsOf: (name: string, config: ServerConfig) => LiftedText[],
): ParsedPaste {
  const trimmed = text.trim()
  if (trimmed === '')
    return {
      servers: [],
      faults: [fault(say`Nothing was pasted`, say`Paste a JSON snippet, a command line or a URL.`)],
    }
  const entries =
    /^[{[]/.test(trimmed) || trimmed.startsWith('"')
      ? fromJson(trimmed)
      : /^https?:\/\//i.test(trimmed)
        ? fromUrls(trimmed)
        : fromCommand(trimmed)
  if ('faults' in entries) return { servers: [], faults: entries.faults }
  const servers = entries.servers.map(([name, config]) => {
    const clean = withoutForeignTransport(config)
    const parsed = parseServersFile(JSON.stringify({ mcpServers: { [name]: clean } }), null)
    const faults = parsed.ok
      ? []
      : parsed.faults.map((found) => ({
          ...found,
          line: null,
          column: null,
          path: found.path.replace(`mcpServers.${name}`, '').replace(/^\./, ''),
        }))
    const entry = parsed.ok ? parsed.value.mcpServers[name] : undefined
    return {
      name,
      config: clean,
      exists: existing.includes(name),
      faults,
      secrets: entry === undefined ? [] : secretsOf(name, entry),
    }
  })
  return { servers, faults: [] }
}

type Entries = { servers: [string, unknown][] } | { faults: Fault[] }

function fromJson(text: string): Entries {
  // A fragment such as `"github": { … }` is the inside of an object.
  const whole = text.startsWith('"') ? `{${text}}` : text
  const parsed = parseJsonc(whole, null)
  if (!parsed.ok) return { faults: parsed.faults }
  const value = parsed.value.value
  if (!isRecord(value))
    return { faults: [fault(say`The JSON is no object`, say`Paste an object with mcpServers, or one server’s entry.`)] }
  for (const key of CLIENT_KEYS) {
    const inner = value[key] ?? (isRecord(value['mcp']) ? value['mcp'][key] : undefined)
    if (isRecord(inner)) return { servers: Object.entries(inner) }
  }
  if (typeof value['command'] === 'string' || typeof value['url'] === 'string') {
    const { name, ...config } = value
    return { servers: [[typeof name === 'string' ? name : nameFor(config), config]] }
  }
  const entries = Object.entries(value).filter(([, entry]) => isRecord(entry) && ('command' in entry || 'url' in entry))
  if (entries.length > 0) return { servers: entries }
  return {
    faults: [
      fault(
        say`The JSON has no server in it`,
        say`A server has a "command" or a "url"; several stand under "mcpServers".`,
      ),
    ],
  }
}

function fromUrls(text: string): Entries {
  const urls = text.split(/\s+/)
  const bad = urls.find((url) => !URL.canParse(url))
  if (bad !== undefined) return { faults: [fault(say`${bad} is no URL`, say`Write it as https://host/path.`)] }
  return {
    servers: urls.map((url) => {
      const config = /\/sse\/?$/.test(new URL(url).pathname) ? { type: 'sse', url } : { type: 'http', url }
      return [nameFor(config), config]
    }),
  }
}

function fromCommand(text: string): Entries {
  const words = splitCommandLine(text.replace(/^\$\s+/, '').replace(/\\\r?\n/g, ' '))
  if (words === null)
    return { faults: [fault(say`A quotation mark is not closed`, say`Close it, or escape it with a backslash.`)] }
  const env: Record<string, string> = {}
  while (words[0] !== undefined && /^[A-Za-z_][A-Za-z0-9_]*=/.test(words[0])) {
    const word = words.shift() ?? ''
    env[word.slice(0, word.indexOf('='))] = word.slice(word.indexOf('=') + 1)
  }
  const [command, ...args] = words
  if (command === undefined)
    return {
      faults: [fault(say`There is no command after the variables`, say`Add the command that starts the server.`)],
    }
  const config = { command, ...(args.length > 0 ? { args } : {}), ...(Object.keys(env).length > 0 ? { env } : {}) }
  return { servers: [[nameFor(config), config]] }
}

/** Splits as a POSIX shell would, without expanding anything. Null when a quotation mark is open at the end. */
export function splitCommandLine(text: string): string[] | null {
  const words: string[] = []
  let word: string | null = null
  let quote: string | null = null
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? ''
    if (quote === null && /\s/.test(char)) {
      if (word !== null) words.push(word)
      word = null
    } else if (quote === null && (char === '"' || char === "'")) {
      quote = char
      word ??= ''
    } else if (char === quote) {
      quote = null
    } else if (
      char === '\\' &&
      quote !== "'" &&
      i + 1 < text.length &&
      (quote === null || '"\\$`'.includes(text[i + 1] ?? ''))
    ) {
      word = (word ?? '') + (text[++i] ?? '')
    } else {
      word = (word ?? '') + char
    }
  }
  if (quote !== null) return null
  if (word !== null) words.push(word)
  return words
}

/** A short name from the package, script or host: `npx -y @acme/server-github@1.2` is `github`. */
function nameFor(config: Record<string, unknown>): string {
  const url = config['url']
  if (typeof url === 'string' && URL.canParse(url)) {
    const labels = new URL(url).hostname
      .split('.')
      .filter((label) => !['www', 'mcp', 'api', 'com', 'org', 'net', 'io', 'dev', 'app', 'ai'].includes(label))
    return safeName(labels.at(-1) ?? new URL(url).hostname)
  }
  const args = Array.isArray(config['args']) ? (config['args'] as unknown[]).map(String) : []
  const runner = /^(npx|uvx|bunx|node|python3?|deno|docker|uv|npm|pnpm|yarn|bun)(\.\w+)?$/
  const command = typeof config['command'] === 'string' ? config['command'] : ''
  const words = [command.split(/[/\\]/).at(-1) ?? '', ...args].filter(
    (word) =>
      !word.startsWith('-') && !runner.test(word) && !['run', 'exec', 'dlx', 'x', 'tool', 'stdio'].includes(word),
  )
  const word = words[0] ?? command
  const parts = word
    .replace(/(.)@[^/@]*$/, '$1')
    .split(/[/\\]/)
    .filter((part) => !/^(dist|build|src|index\.\w+|main\.\w+|server\.\w+|node_modules|\.+)$/.test(part))
  const last = (parts.at(-1) ?? word).replace(/\.(c|m)?[jt]s$|\.py$/, '')
  return safeName(last.replace(/^(mcp-)?server-|^mcp-|(-mcp)?(-server)?$/g, '') || last)
}

function safeName(text: string): string {
  const name = text
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '')
    .slice(0, 48)
  return serverNameSchema.safeParse(name).success ? name : 'server'
}

/** VS Code and others write `transport` or `type: "stdio"` beside a URL; what says nothing new is dropped. */
function withoutForeignTransport(config: unknown): unknown {
  if (!isRecord(config)) return config
  const { transport, transportType, serverUrl, ...rest } = config
  const url = typeof serverUrl === 'string' && rest['url'] === undefined ? { url: serverUrl } : {}
  const kind = [transport, transportType].find((value) => value === 'sse')
  const merged = { ...rest, ...url, ...(kind === undefined ? {} : { type: 'sse' }) }
  const known = Object.keys(serverConfigSchemaFor(merged).shape)
  return transport === undefined && transportType === undefined && serverUrl === undefined
    ? config
    : Object.fromEntries(Object.entries(merged).filter(([key]) => known.includes(key) || key in config))
}

function fault(message: Said, cure: Said): Fault {
  return told({ file: null, path: '', line: null, column: null, message, cure })
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
