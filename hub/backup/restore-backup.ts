import { copyFile, mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { copyFileAtomic } from '../config/atomic-file.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { runningHubs } from '../upstream/process/journal.ts'
import { DUMP, membersOf, placeOf, type HubFolders } from './members.ts'
import { openBackup, type Manifest } from './open-backup.ts'

export interface RestoreResult {
  manifest: Manifest
  /** Folder with what was there before. */
  before: string
}

/**
 * Puts what an archive holds in the place of what a hub has. The hub must not run. What was there is moved aside, not deleted;
 * when anything fails, it is moved back. Other files in those folders are left alone. Throws HUB_BACKUP_REFUSED,
 * HUB_BACKUP_FAILED, or HUB_CONFLICT when a hub uses the folder. The dump of a database in it is only written to `dumpTo`.
 */
export async function restoreBackup(archive: string, folders: HubFolders, dumpTo?: string): Promise<RestoreResult> {
  const running = await runningHubs(folders.dataDir)
  if (running.length > 0)
    throw new HubError('HUB_CONFLICT', say`A hub uses ${folders.dataDir} (pid ${running.join(', ')})`, {
      cure: say`Stop it first; its configuration alone can be restored while it runs, by version or backup.`,
    })
  await mkdir(folders.dataDir, { recursive: true, mode: 0o700 })
  await mkdir(folders.configDir, { recursive: true, mode: 0o700 })
  const opened = await openBackup(archive, await mkdtemp(join(folders.dataDir, '.restore-')))
  const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '')
  const before = join(folders.dataDir, `before-restore-${stamp}`)
  const moved: { from: string; to: string }[] = []
  const written: string[] = []
  try {
    if (dumpTo !== undefined && hasDump(opened.manifest)) await copyFile(opened.fileOf(DUMP), dumpTo)
    for (const member of await membersOf(folders)) {
      const from = placeOf(member, folders)
      if (from === null) continue
      // A database has what is not yet in its file beside it.
      for (const suffix of member.endsWith('.db') ? ['', '-wal', '-shm'] : ['']) {
        const to = join(before, `${member}${suffix}`)
        await mkdir(dirname(to), { recursive: true, mode: 0o700 })
        if (await move(`${from}${suffix}`, to)) moved.push({ from: `${from}${suffix}`, to })
      }
    }
    for (const { path } of opened.manifest.files) {
      const place = placeOf(path, folders)
      if (place === null) continue
      written.push(place)
      await copyFileAtomic(opened.fileOf(path), place)
    }
    return { manifest: opened.manifest, before }
  } catch (error) {
    for (const place of written) await rm(place, { force: true })
    for (const { from, to } of moved.reverse()) await move(to, from)
    throw new HubError(
      'HUB_BACKUP_FAILED',
      say`Restoring failed: ${error instanceof Error ? error.message : String(error)}`,
      {
        cure: say`Everything is as it was. Mend what the message names, and restore again.`,
      },
    )
  } finally {
    await opened.dispose()
  }
}

export const hasDump = ({ files }: Manifest): boolean => files.some(({ path }) => path === DUMP)

/** Also from one disk to another, where the vault's file lies elsewhere. */
async function move(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return false
    if (code !== 'EXDEV') throw error
    await copyFile(from, to)
    await rm(from)
    return true
  }
}
