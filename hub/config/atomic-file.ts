import { randomBytes } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Replaces a file as a whole: written beside it, every byte counted, flushed to disk, renamed, and the folder flushed. A full
 * disk or a kill at any moment leaves the old file.
 */
export async function writeFileAtomic(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true })
  const temporary = `${file}.${randomBytes(6).toString('hex')}.tmp`
  try {
    const handle = await open(temporary, 'wx', mode)
    try {
      const bytes = Buffer.from(content)
      // One write may be short on a full disk; only a loop that counts notices.
      for (let written = 0; written < bytes.length;) written += (await handle.write(bytes, written)).bytesWritten
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  // Windows cannot open a folder for this.
  if (process.platform === 'win32') return
  const parent = await open(folder, 'r')
  await parent.sync().finally(() => parent.close())
}
