import { sign, type KeyObject } from 'node:crypto'

/** Beside SHA256SUMS, which has the hash of every other file, so that it stands for all of them. */
export const SIGNATURE = 'SHA256SUMS.sig'

/** One line of base64 for an Ed25519 key: `openssl pkeyutl -verify -rawin` checks it once it is decoded. */
export function signatureOf(sums: Buffer | string, key: KeyObject): string {
  return `${sign(null, Buffer.from(sums), key).toString('base64')}\n`
}
