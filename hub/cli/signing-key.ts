import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { CommandError, exitCodes } from './command.ts'

/** The private Ed25519 key of a PEM file. Throws CommandError for what is none. */
export async function readSigningKey(file: string): Promise<KeyObject> {
  const refused = (what: string): CommandError =>
    new CommandError(what, `Make one: openssl genpkey -algorithm ed25519 -out ${file}`, exitCodes.data)
  const pem = await readFile(file, 'utf8').catch((error: unknown) => {
    throw refused(`${file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`)
  })
  let key: KeyObject | null = null
  try {
    key = createPrivateKey(pem)
  } catch {
    // Told below, like a key of another kind.
  }
  if (key?.asymmetricKeyType !== 'ed25519')
    throw refused(`${file} is no private Ed25519 key in PEM without a passphrase.`)
  return key
}
