import { parseDuration } from '../auth/duration.ts'
import { weaknessOfKey } from '../auth/key-weakness.ts'
import { isDsn } from '../contract/dsn.ts'

/**
 * What is wrong with the text of a variable or an option; null when it is right. By hand: a schema would load zod into every
 * hub, also into one whose configuration needs none.
 */
export type Check = (value: string) => string | null

const makeOne = '; make one with: openssl rand -base64 48'

export const port: Check = (value) =>
  /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? null : 'must be a port number from 0 to 65535'

export const atLeast =
  (length: number, more = ''): Check =>
  (value) =>
    value.length >= length ? null : `must have at least ${length} characters${more}`

export const shortName: Check = (value) =>
  /^[A-Za-z0-9-]{1,32}$/.test(value) ? null : 'must be a short name of letters, digits and hyphens'

export const longKey = atLeast(32, makeOne)

export const signingKey: Check = (value) => {
  const weakness = weaknessOfKey(value)
  return weakness === null ? null : weakness + makeOne
}

export const duration: Check = (value) =>
  parseDuration(value) === null ? 'must be a duration such as 15m, 1h or 7d' : null

export const oneOf =
  (...values: readonly string[]): Check =>
  (value) =>
    values.includes(value) ? null : `must be one of ${values.join(', ')}`

export const fileCount: Check = (value) => (/^[1-9]\d{0,3}$/.test(value) ? null : 'must be a number from 1 to 9999')

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1_024, m: 1_048_576, g: 1_073_741_824 }

/** Bytes of `10m`, `512k`, `1g` or `1048576`; null when it is no size. */
export function parseSize(text: string): number | null {
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmg]?)b?$/i.exec(text.trim()) ?? []
  if (number === undefined) return null
  const bytes = Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? 1))
  return bytes > 0 ? bytes : null
}

export const size: Check = (value) => (parseSize(value) === null ? 'must be a size such as 10m or 512k' : null)

const url =
  (kind: string, ...protocols: string[]): Check =>
  (value) =>
    URL.canParse(value) && protocols.includes(new URL(value).protocol) ? null : `must be ${kind} URL`

export const dsn: Check = (value) => (isDsn(value) ? null : 'must be a DSN such as https://key@sentry.example.com/1')
export const webUrl = url('an http: or https:', 'http:', 'https:')
export const redisUrl = url('a redis: or rediss:', 'redis:', 'rediss:')
export const postgresUrl: Check = (value) =>
  /^postgres(ql)?:\/\/./.test(value) ? null : 'must be postgres://user:password@host:port/database'
