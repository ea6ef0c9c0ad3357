import { randomBytes } from 'node:crypto'
import type { SystemFile } from '../contract/index.ts'
import type { HubOptions } from '../hub.ts'

/** The keys of access tokens: the first signs, the others check what was signed before. */
export async function signingKeys(
  { keptJwtSecret }: Pick<HubOptions, 'keptJwtSecret'>,
  auth: NonNullable<SystemFile['auth']>,
): Promise<Uint8Array[]> {
  const encode = (text: string | undefined): Uint8Array[] =>
    text === undefined ? [] : [new TextEncoder().encode(text)]
  const current = encode(auth.jwtSecret)[0] ?? (await keptJwtSecret?.()) ?? randomBytes(32)
  return [current, ...encode(auth.jwtSecretPrevious)]
}
