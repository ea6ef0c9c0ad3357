import { homedir } from 'node:os'
import { join } from 'node:path'
import { weaknessOfKey } from '../auth/key-weakness.ts'
import { parseDuration } from '../auth/duration.ts'
import type { Fault } from '../contract/index.ts'
import { logLevels, logRotations, parseSize } from '../observe/log-settings.ts'

/** What is wrong with the value of a variable; null when it is right. */
type Check = (value: string) => string | null

const text: Check = () => null
const port: Check = (value) =>
  /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? null : 'must be a port number from 0 to 65535'
const atLeast =
  (length: number, more = ''): Check =>
  (value) =>
    value.length >= length ? null : `must have at least ${length} characters${more}`
const duration: Check = (value) => (parseDuration(value) === null ? 'must be a duration such as 15m, 1h or 7d' : null)
const url =
  (kind: string, ...protocols: string[]): Check =>
  (value) =>
    URL.canParse(value) && protocols.includes(new URL(value).protocol) ? null : `must be ${kind} URL`
const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value) ? null : `must be one of ${values.join(', ')}`
const webUrl = url('an http: or https:', 'http:', 'https:')
const makeOne = '; make one with: openssl rand -base64 48'

/**
 * The variables of server mode ("the headless contract"). They are checked by hand: a schema would load zod into every hub,
 * also into one whose configuration needs none.
 */
const checks = {
  PORT: port,
  HOST: text,
  CONFIG_DIR: text,
  DATA_DIR: text,
  JWT_SECRET: (value) => {
    const weakness = weaknessOfKey(value)
    return weakness === null ? null : weakness + makeOne
  },
  JWT_EXPIRES_IN: duration,
  JWT_REFRESH_EXPIRES_IN: duration,
  REDIS_URL: url('a redis: or rediss:', 'redis:', 'rediss:'),
  LOG_LEVEL: oneOf(...logLevels),
  LOG_FILE: text,
  LOG_MAX_SIZE: (value) => (parseSize(value) === null ? 'must be a size such as 10m or 512k' : null),
  LOG_MAX_FILES: (value) => (/^[1-9]\d{0,3}$/.test(value) ? null : 'must be a number from 1 to 9999'),
  LOG_ROTATION: oneOf(...logRotations),
  ACCOUNTS_DIR: text,
  PUBLIC_URL: webUrl,
  MCP_HUB_TOKEN: atLeast(16),
  MCP_HUB_ADMIN_PASSWORD: atLeast(8),
  DATABASE_URL: (value) =>
    /^postgres(ql)?:\/\/./.test(value) ? null : 'must be postgres://user:password@host:port/database',
  OTEL_EXPORTER_OTLP_ENDPOINT: webUrl,
  OTEL_SERVICE_NAME: text,
  MCP_HUB_SECRETS_FILE: text,
  MCP_HUB_SECRETS_KEY: atLeast(32, makeOne),
} satisfies Record<string, Check>

type Given = Partial<Record<keyof typeof checks, string>>

export interface ServerSettings extends Omit<Given, 'PORT'> {
  PORT: number | undefined
  CONFIG_DIR: string
  DATA_DIR: string
  OTEL_SERVICE_NAME: string
}

/** The settings in an environment without empty values; `faults` tells of every variable that is wrong. */
export function readServerSettings(values: Readonly<Record<string, string>>): {
  settings: ServerSettings
  faults: Fault[]
} {
  const given: Given = {}
  const faults: Fault[] = []
  for (const name of Object.keys(checks) as (keyof typeof checks)[]) {
    const value = values[name]
    if (value === undefined) continue
    given[name] = value
    const message = checks[name](value)
    if (message !== null)
      faults.push({
        file: null,
        path: `environment ${name}`,
        line: null,
        column: null,
        message,
        cure: 'Correct the variable.',
      })
  }
  const settings: ServerSettings = {
    ...given,
    PORT: given.PORT === undefined ? undefined : Number(given.PORT),
    CONFIG_DIR: given.CONFIG_DIR ?? join(homedir(), '.config', 'mcp-hub'),
    DATA_DIR: given.DATA_DIR ?? join(homedir(), '.local', 'share', 'mcp-hub'),
    OTEL_SERVICE_NAME: given.OTEL_SERVICE_NAME ?? 'mcp-hub',
  }
  return { settings, faults }
}
