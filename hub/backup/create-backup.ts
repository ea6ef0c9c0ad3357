import { copyFile, mkdir, mkdtemp, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { emptyTexts, isKept, type DocumentName, type Documents } from '../config/documents.ts'
import type { Backup } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, type Said } from '../say.ts'
import { encryptFile } from './encryption.ts'
import { fingerprint } from './fingerprint.ts'
import { DATABASES, DUMP, MANIFEST, membersOf, placeOf, ROOT, type HubFolders } from './members.ts'
import { openBackup, type Manifest } from './open-backup.ts'

/** As many pages as a step can have, which is as many as a database can. */
const ALL_PAGES = 2 ** 31 - 1

const STAGE_MS = 86_400_000
const NAME = /^mcp-hub-(\d{8}T\d{9}Z)\.tar\.gz(?:\.age)?$/

export interface BackupOptions extends HubFolders {
  /** Folder of the archives; made when it is not there. */
  into: string
  /** How many to keep, the new one among them; older ones are deleted once the new one was read back and found whole. */
  keep: number
  version: string
  /** Public keys of age that the archive is encrypted for, once it was read back; in the clear without any. */
  recipients?: readonly string[]
  /** A file with a dump of the database that goes into the archive as it is. */
  dump?: string | undefined
  /** Where the configuration is, if not in files of `configDir`. */
  documents?: Documents | undefined
}

/**
 * Writes everything that a hub has into one archive, reads it back and checks every byte, and only then deletes older ones. The
 * hub may run. Throws HUB_BACKUP_FAILED, and then nothing was deleted.
 */
export async function createBackup(options: BackupOptions): Promise<Backup> {
  const { into } = options
  await mkdir(into, { recursive: true, mode: 0o700 }).catch(failed(say`${into} cannot be made`))
  await sweepStages(into, '.stage-')
  await sweepStages(options.dataDir, '.restore-')
  const stage = await mkdtemp(join(into, '.stage-')).catch(failed(say`${into} cannot be written`))
  try {
    const members = await membersOf(options).catch(failed(say`${options.configDir} cannot be read`))
    const shared = options.documents?.shared === true ? await readAll(options.documents) : null
    if (shared === null && !members.some(isConfig))
      throw new HubError('HUB_BACKUP_FAILED', say`${options.configDir} holds no configuration`, {
        cure: say`Correct CONFIG_DIR: nothing was deleted.`,
      })
    await gather(members, shared, options, join(stage, ROOT)).catch(failed(say`The files could not be copied`))
    const partial = join(stage, 'archive.tar.gz')
    await pack(stage, partial).catch(failed(say`The archive could not be written`))
    await (await openBackup(partial, join(stage, 'check'))).dispose()
    const { recipients = [] } = options
    const closed = `${partial}.age`
    if (recipients.length > 0)
      await encryptFile(partial, closed, recipients).catch(failed(say`The archive could not be encrypted`))
    const file = await moveInto(into, recipients.length > 0 ? closed : partial)
    await prune(into, options.keep)
    return await describe(file)
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

/** What a kill left behind, which holds all that an archive does. One that is at work has been touched since yesterday. */
async function sweepStages(folder: string, prefix: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix)) continue
    const found = await stat(join(folder, name)).catch(() => null)
    if (found !== null && Date.now() - found.mtimeMs > STAGE_MS)
      await rm(join(folder, name), { recursive: true, force: true }).catch(() => undefined)
  }
}

/** The archives in a folder, the newest first; other files there are left alone. */
export async function listBackups(folder: string): Promise<Backup[]> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => NAME.test(name))
  const found = await Promise.all(names.map((name) => describe(join(folder, name)).catch(() => null)))
  return found.filter((backup) => backup !== null).sort((a, b) => b.at - a.at)
}

/** Archives of this hub, and those of a published bundle's `ops/backup.sh`, which hold more than one hub. */
const ARCHIVE = /^mcp-hub-.*\.tar(?:\.gz)?(?:\.age)?$/

/** When the newest archive in a folder was made, whoever made it; null where there is none. */
export async function newestArchive(folder: string): Promise<number | null> {
  const names = (await readdir(folder).catch(() => [])).filter((name) => ARCHIVE.test(name))
  const times = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ mtimeMs }) => mtimeMs,
        () => 0,
      ),
    ),
  )
  return times.length === 0 ? null : Math.max(...times)
}

/** Whether it names an archive: nothing else in that folder may be asked for. */
export const isBackupName = (name: string): boolean => NAME.test(name)

const isConfig = (member: string): boolean => member.startsWith('config/')

/** The documents as members of the archive. */
async function readAll(documents: Documents): Promise<Map<string, string>> {
  const texts = new Map<string, string>()
  for (const name of Object.keys(emptyTexts) as DocumentName[]) {
    // A push that was watched then must not be finished over what was restored.
    if (name === 'pushes') continue
    const found = await documents.read(name)
    if (found.ok && found.text !== null) texts.set(`${isKept(name) ? 'data' : 'config'}/${name}.json`, found.text)
  }
  return texts
}

async function gather(
  members: readonly string[],
  shared: ReadonlyMap<string, string> | null,
  options: BackupOptions,
  root: string,
): Promise<void> {
  const files: Manifest['files'] = []
  for (const [member, text] of shared ?? []) {
    const copy = join(root, member)
    await mkdir(dirname(copy), { recursive: true, mode: 0o700 })
    await writeFile(copy, text, { mode: 0o600 })
    files.push({ path: member, ...(await fingerprint(copy)) })
  }
  if (options.dump !== undefined) {
    await mkdir(root, { recursive: true, mode: 0o700 })
    await copyFile(options.dump, join(root, DUMP))
    files.push({ path: DUMP, ...(await fingerprint(join(root, DUMP))) })
  }
  for (const member of members) {
    const source = placeOf(member, options)
    // What lies in the folder beside a shared configuration is not in force.
    if (source === null || shared?.has(member) === true || (shared !== null && isConfig(member))) continue
    const copy = join(root, member)
    await mkdir(dirname(copy), { recursive: true, mode: 0o700 })
    const isDatabase = (DATABASES as readonly string[]).includes(basename(member))
    const copied = isDatabase ? await copyDatabase(source, copy) : await copyPresent(source, copy)
    if (copied) files.push({ path: member, ...(await fingerprint(copy)) })
  }
  const manifest: Manifest = { format: 1, version: options.version, at: Date.now(), files }
  await writeFile(join(root, MANIFEST), `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600 })
}

/** False for what was deleted meanwhile, or was never there. */
async function copyPresent(source: string, copy: string): Promise<boolean> {
  try {
    await copyFile(source, copy)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}

async function copyDatabase(source: string, copy: string): Promise<boolean> {
  const { backup, DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(source, { readOnly: true })
  try {
    // In one step: between two of them a write of another connection has SQLite begin anew, and a hub that serves requests
    // writes all the time. It runs beside the event loop, and with a write-ahead log writers do not wait for it.
    await backup(database, copy, { rate: ALL_PAGES })
  } finally {
    database.close()
  }
  return true
}

async function pack(stage: string, file: string): Promise<void> {
  const { create } = await import('tar')
  await create({ gzip: true, cwd: stage, file, portable: true, mode: 0o600 }, [ROOT])
  const handle = await open(file, 'r+')
  await handle.sync().finally(() => handle.close())
}

/** Under the name of this moment. */
async function moveInto(folder: string, partial: string): Promise<string> {
  const kind = basename(partial).replace('archive', '')
  const file = join(folder, `mcp-hub-${new Date().toISOString().replace(/[-:.]/g, '')}${kind}`)
  await rename(partial, file)
  return file
}

async function prune(folder: string, keep: number): Promise<void> {
  for (const { name } of (await listBackups(folder)).slice(keep)) await rm(join(folder, name), { force: true })
}

async function describe(file: string): Promise<Backup> {
  const { size } = await stat(file)
  const stamp = NAME.exec(basename(file))?.[1] ?? ''
  const iso = stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z$/, '$1-$2-$3T$4:$5:$6.$7Z')
  return { name: basename(file), at: Date.parse(iso), bytes: size }
}

function failed(what: Said): (error: unknown) => never {
  return (error) => {
    if (error instanceof HubError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    throw new HubError('HUB_BACKUP_FAILED', say`${what}: ${message}`, {
      cure:
        code === 'ENOSPC'
          ? say`Free some space on that disk; older backups were left alone.`
          : say`Mend what the message names; older backups were left alone.`,
    })
  }
}
