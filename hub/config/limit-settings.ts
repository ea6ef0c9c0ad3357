import { limitDefaults, type Limits } from '../contract/limits.ts'

/** What the listener and the connections to servers are made with, once. */
const setOnce: ReadonlySet<string> = new Set<keyof Limits>([
  'maxHeaderBytes',
  'maxConnections',
  'maxConnectionsPerAddress',
  'headersTimeoutMs',
  'requestTimeoutMs',
  'maxResponseBytes',
  'maxStdioLineBytes',
])

interface LimitSetting {
  default: number
  live?: true
}

/** `limits.*` of the table of settings. */
export const limitSettings = Object.fromEntries(
  Object.entries(limitDefaults).map(([name, value]): [string, LimitSetting] => [
    `limits.${name}`,
    { default: value, ...(setOnce.has(name) ? {} : { live: true as const }) },
  ]),
) as Record<`limits.${keyof Limits}`, LimitSetting>
