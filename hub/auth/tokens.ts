import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Caller } from './caller.ts'

export interface StaticToken {
  value: string
  caller: Caller
}

export function bearerOf(request: IncomingMessage): string | null {
  const header = request.headers.authorization
  return header !== undefined && /^bearer /i.test(header) ? header.slice(7).trim() : null
}

/** Finds the caller of a fixed token. All tokens are compared, each in constant time. */
export function createTokenTable(tokens: readonly StaticToken[]): (value: string) => Caller | null {
  const digest = (value: string): Buffer => createHash('sha256').update(value).digest()
  const entries = tokens.map(({ value, caller }) => ({ digest: digest(value), caller }))
  // The digest of a token that is used over and over is remembered; what is kept is bounded and known to be good.
  const known = new Map<string, Caller>()
  return (value) => {
    const quick = known.get(value)
    if (quick !== undefined) return quick
    const given = digest(value)
    let found: Caller | null = null
    for (const entry of entries) if (timingSafeEqual(entry.digest, given)) found = entry.caller
    if (found !== null) known.set(value, found)
    return found
  }
}
