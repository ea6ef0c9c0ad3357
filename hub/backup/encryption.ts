import { randomBytes } from 'node:crypto'
import { open, readFile, stat, type FileHandle } from 'node:fs/promises'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { CHUNK, MAGIC, makeHeader, NONCE, openHeader, openPayload, TAG } from './age.ts'

/** More than a header of sixteen keys has. */
const MAX_HEADER = 16_384

/** Whether a file is encrypted with age. Rejects where it cannot be read. */
export async function isEncrypted(file: string): Promise<boolean> {
  const handle = await open(file)
  try {
    return (await readAt(handle, 0, MAGIC.length)).toString('latin1') === MAGIC
  } finally {
    await handle.close()
  }
}

/**
 * Writes `from` to the new file `to`, for public keys of age (`age1…`): each private key opens it alone. What was written is read
 * again, and decrypted. Rejects when it cannot be written whole; what is there then is of no use.
 */
export async function encryptFile(from: string, to: string, recipients: readonly string[]): Promise<void> {
  const { fileKey, header } = makeHeader(recipients)
  const nonce = randomBytes(NONCE)
  const before = Buffer.concat([header, nonce])
  const { size } = await stat(from)
  await copyChunks({ from, to, begin: 0, chunk: CHUNK, before, change: openPayload(fileKey, nonce).seal, sync: true })
  const expected = before.length + size + TAG * Math.max(1, Math.ceil(size / CHUNK))
  const written = (await stat(to)).size
  if (written !== expected) throw new Error(`${to} has ${written} bytes of ${expected}`)
  // Into nothing: what the disk has is what was meant.
  await copyChunks({
    from: to,
    to: null,
    begin: before.length,
    chunk: CHUNK + TAG,
    change: openPayload(fileKey, nonce).unseal,
  })
}

/** Writes what is in `from` to the new file `to`. Throws HUB_BACKUP_REFUSED where no key in `identityFile` opens it, or it is damaged. */
export async function decryptFile(from: string, to: string, identityFile: string): Promise<void> {
  try {
    const identities = await readFile(identityFile, 'utf8')
    const handle = await open(from)
    const start = await readAt(handle, 0, MAX_HEADER).finally(() => handle.close())
    const { fileKey, length } = openHeader(start, identities)
    const nonce = start.subarray(length, length + NONCE)
    const change = openPayload(fileKey, nonce).unseal
    await copyChunks({ from, to, begin: length + NONCE, chunk: CHUNK + TAG, change })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new HubError('HUB_BACKUP_REFUSED', say`The archive cannot be decrypted with ${identityFile}: ${reason}`, {
      cure: say`Give the file with the private key of one of those whom it is for, as age-keygen wrote it; nothing was changed.`,
    })
  }
}

/** Each chunk of `from`, changed, one after the other; into a new file, or nowhere. */
async function copyChunks(work: {
  from: string
  to: string | null
  begin: number
  chunk: number
  before?: Buffer
  change: (chunk: Buffer, last: boolean) => Buffer
  sync?: boolean
}): Promise<void> {
  const source = await open(work.from)
  const target =
    work.to === null
      ? null
      : await open(work.to, 'wx', 0o600).catch(async (error: unknown) => {
          await source.close()
          throw error
        })
  try {
    const { size } = await source.stat()
    if (work.before !== undefined) await target?.writeFile(work.before)
    let at = work.begin
    do {
      const chunk = await readAt(source, at, work.chunk)
      at += work.chunk
      await target?.writeFile(work.change(chunk, at >= size))
    } while (at < size)
    if (work.sync === true) await target?.sync()
  } finally {
    await source.close()
    await target?.close()
  }
}

/** `length` bytes, or as many as there are. */
async function readAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length)
  let read = 0
  while (read < length) {
    const { bytesRead } = await handle.read(buffer, read, length - read, position + read)
    if (bytesRead === 0) break
    read += bytesRead
  }
  return buffer.subarray(0, read)
}
