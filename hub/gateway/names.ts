import { createHash } from 'node:crypto'

const MAX_NAME = 64
const SEPARATOR = '__'

/**
 * The name of a server's tool or prompt on an aggregated endpoint: `<prefix>__<name>`, at most 64 characters of
 * `[A-Za-z0-9_-]`. A longer one, or one with other characters, ends in a hash of the whole, so that it is always the same.
 */
export function exposedName(prefix: string, name: string): string {
  const whole = `${prefix}${SEPARATOR}${name}`
  const clean = whole.replace(/[^A-Za-z0-9_-]/g, '_')
  if (clean === whole && whole.length <= MAX_NAME) return whole
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 8)
  return `${clean.slice(0, MAX_NAME - 9)}_${hash}`
}
