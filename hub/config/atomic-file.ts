import { randomInt } from 'node:crypto'
import { constants, copyFile, link, mkdir, open, readdir, realpath, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** `.<file>.<pid>.<n>.tmp`: by its process a file that a kill left behind is known. */
const TEMPORARY = /^\.(.+)\.(\d+)\.(\d+)\.tmp$/
const RENAME_TRIES = 10

/**
 * Replaces a file as a whole: written beside it, every byte counted, flushed to disk, renamed, and the folder flushed. A full
 * disk or a kill at any moment leaves the old file. A link is replaced, not followed.
 */
export function writeFileAtomic(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  return writePlaced(file, (temporary) => writeInto(temporary, file, content, mode), renameOver)
}

/** The same with the content of another file, of any size: it is never in memory. */
export function copyFileAtomic(source: string, file: string, mode = 0o600): Promise<void> {
  return writePlaced(file, (temporary) => copyInto(temporary, source, mode), renameOver)
}

/** The same for a file that is not there; false when somebody else has made it meanwhile. */
export async function writeNewFile(file: string, content: string, mode = 0o600): Promise<boolean> {
  try {
    await writePlaced(file, (temporary) => writeInto(temporary, file, content, mode), linkNew)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function writePlaced(
  file: string,
  fill: (temporary: string) => Promise<void>,
  place: (from: string, to: string) => Promise<void>,
): Promise<void> {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true })
  const temporary = join(folder, `.${basename(file)}.${process.pid}.${randomInt(2 ** 47)}.tmp`)
  try {
    await fill(temporary)
    await place(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  // Windows cannot open a folder for this.
  if (process.platform === 'win32') return
  const parent = await open(folder, 'r')
  await parent.sync().finally(() => parent.close())
}

async function writeInto(temporary: string, file: string, content: string | Uint8Array, mode: number): Promise<void> {
  const bytes = Buffer.from(content)
  const handle = await open(temporary, 'wx', mode)
  try {
    // One write may be short on a full disk; only a loop that counts notices.
    for (let written = 0; written < bytes.length;) written += (await handle.write(bytes, written)).bytesWritten
    await handle.sync()
    const { size } = await handle.stat()
    if (size !== bytes.length) throw new Error(`${size} of ${bytes.length} bytes of ${file} were written`)
  } finally {
    await handle.close()
  }
}

async function copyInto(temporary: string, source: string, mode: number): Promise<void> {
  await copyFile(source, temporary, constants.COPYFILE_EXCL)
  const handle = await open(temporary, 'r+')
  try {
    await handle.chmod(mode)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Replaces a file that people edit as well: through a link they made, with the mode that they gave it, and with what was there
 * before in `<file>.bak`.
 */
export async function replaceEditedFile(file: string, content: string): Promise<void> {
  const target = await realpath(file).catch(() => file)
  const before = await stat(target).catch(() => null)
  if (before !== null) await keepBackup(target)
  await writeFileAtomic(target, content, before === null ? 0o600 : before.mode & 0o777)
}

/** Removes what writers that were killed left behind; those of a process that lives may still be in use. */
export async function sweepTemporaries(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    const match = TEMPORARY.exec(name)
    if (match === null || isAlive(Number(match[2]))) continue
    await rm(join(folder, name), { force: true })
  }
}

/** A second name for the old content: it costs nothing, and the rename that follows leaves it alone. */
async function keepBackup(file: string): Promise<void> {
  const backup = `${file}.bak`
  await rm(backup, { force: true })
  await link(file, backup).catch(() => copyFile(file, backup))
}

/** A link is refused where there is a file already, which a rename would replace. */
async function linkNew(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException
    // Not every file system has links.
    if (!['EPERM', 'ENOTSUP', 'ENOSYS', 'EOPNOTSUPP'].includes(code)) throw error
    await renameOver(from, to)
    return
  }
  await rm(from, { force: true })
}

/** On Windows a virus scanner or an editor may hold either file for a moment. */
async function renameOver(from: string, to: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rename(from, to)
      return
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      const busy = process.platform === 'win32' && ['EPERM', 'EBUSY', 'EACCES'].includes(code)
      if (!busy || attempt === RENAME_TRIES) throw error
      await delay(2 ** attempt)
    }
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
