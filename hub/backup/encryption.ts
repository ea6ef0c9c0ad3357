import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import type { ReadableStream } from 'node:stream/web'
import { pipeline } from 'node:stream/promises'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'

/** What a file of age (https://age-encryption.org/v1) begins with. */
const MAGIC = 'age-encryption.org/v1'

/** Whether a file is encrypted with age. Rejects where it cannot be read. */
export async function isEncrypted(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(MAGIC.length), 0, MAGIC.length, 0)
    return buffer.toString('latin1', 0, bytesRead) === MAGIC
  } finally {
    await handle.close()
  }
}

/**
 * Writes `from` to the new file `to`, for public keys of age (`age1…`): each private key opens it alone. What was written is read
 * again. Rejects when it cannot be written whole, or a key is none; what is there then is of no use.
 */
export async function encryptFile(from: string, to: string, recipients: readonly string[]): Promise<void> {
  const { Encrypter } = await import('age-encryption')
  const encrypter = new Encrypter()
  for (const recipient of recipients) encrypter.addRecipient(recipient)
  const meant = createHash('sha256')
  const hashed = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      meant.update(chunk)
      done(null, chunk)
    },
  })
  await pipeline(await changed(from, (file) => encrypter.encrypt(file)), hashed, newFile(to))
  const written = createHash('sha256')
  await pipeline(createReadStream(to), written)
  if (!written.digest().equals(meant.digest())) throw new Error(`${to} does not hold what was written to it`)
}

/** Writes what is in `from` to the new file `to`. Throws HUB_BACKUP_REFUSED where no key in `identityFile` opens it, or it is damaged. */
export async function decryptFile(from: string, to: string, identityFile: string): Promise<void> {
  try {
    const { Decrypter } = await import('age-encryption')
    const decrypter = new Decrypter()
    for (const line of (await readFile(identityFile, 'utf8')).split(/\r?\n/))
      if (line.trim() !== '' && !line.startsWith('#')) decrypter.addIdentity(line.trim())
    await pipeline(await changed(from, (file) => decrypter.decrypt(file)), newFile(to))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new HubError('HUB_BACKUP_REFUSED', say`The archive cannot be decrypted with ${identityFile}: ${reason}`, {
      cure: say`Give the file with the private key of one of those whom it is for, as age-keygen wrote it; nothing was changed.`,
    })
  }
}

type Bytes = ReadableStream<Uint8Array>

/** A file as a stream, after a change that is made while it is read. */
async function changed(file: string, change: (stream: Bytes) => Promise<Bytes>): Promise<Readable> {
  return Readable.fromWeb(await change(Readable.toWeb(createReadStream(file)) as Bytes))
}

const newFile = (file: string): NodeJS.WritableStream =>
  createWriteStream(file, { flags: 'wx', mode: 0o600, flush: true })
