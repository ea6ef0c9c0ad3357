import { once } from 'node:events'
import { mkdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { openFiles } from '../config/documents.ts'
import { openConfigStore } from '../config/store.ts'
import { parseIdentities } from '../auth/parse-identities.ts'
import type { ConfigTexts, Fault } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, wordsFrom, type Said } from '../say.ts'
import { isEncrypted } from './encryption.ts'
import { fingerprint } from './fingerprint.ts'
import { CONFIG_FILES, DATABASES, isMember, MANIFEST, ROOT } from './members.ts'

const MAX_FILES = 10_000
/** What an archive may unpack to whatever its size, and how many times its size beyond that. */
const MAX_BYTES = 100 * 1_048_576
const MAX_RATIO = 100

const manifestSchema = z.strictObject({
  format: z.literal(1),
  version: z.string(),
  at: z.number(),
  files: z.array(
    z.strictObject({
      path: z.string(),
      bytes: z.number().int().nonnegative(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
})
export type Manifest = z.infer<typeof manifestSchema>

export interface OpenedBackup {
  manifest: Manifest
  /** The checked file of a member. */
  fileOf: (member: string) => string
  /** The texts of its configuration files. */
  texts: ConfigTexts
  dispose: () => Promise<void>
}

/**
 * Unpacks an archive into `stage`, a folder that is not there yet, and checks all of it: names and kinds of the members before
 * anything is written, sizes and hashes, the configuration as the hub would, and the databases. Throws HUB_BACKUP_REFUSED with
 * what is wrong; nothing of the archive stays then.
 */
export async function openBackup(archive: string, stage: string): Promise<OpenedBackup> {
  const dispose = (): Promise<void> => rm(stage, { recursive: true, force: true })
  try {
    await refuseEncrypted(archive)
    await checkMembers(archive)
    await mkdir(stage, { recursive: true, mode: 0o700 })
    const { extract } = await import('tar')
    await extract({
      file: archive,
      cwd: stage,
      strict: true,
      noMtime: true,
      preservePaths: false,
      strip: 1,
    })
    const manifest = await readManifest(join(stage, MANIFEST))
    await checkFiles(manifest, stage)
    await checkConfig(stage)
    for (const name of DATABASES) await checkDatabase(manifest, stage, name)
    return { manifest, fileOf: (member) => join(stage, member), texts: await configTexts(stage), dispose }
  } catch (error) {
    await dispose()
    if (error instanceof HubError) throw error
    throw refused(say`The archive cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function refuseEncrypted(archive: string): Promise<void> {
  if (!(await isEncrypted(archive))) return
  throw new HubError('HUB_BACKUP_REFUSED', say`The archive is encrypted with age`, {
    cure: say`Give the private key: mcp-hub restore ARCHIVE --identity KEY_FILE. Or decrypt it first: age --decrypt --identity KEY_FILE --output ARCHIVE ARCHIVE.age. That of a published target is restored there: ops/restore.sh ARCHIVE.age --identity KEY_FILE.`,
  })
}

async function checkMembers(archive: string): Promise<void> {
  const { list } = await import('tar')
  const { size } = await stat(archive)
  const most = Math.max(MAX_BYTES, size * MAX_RATIO)
  let [count, bytes] = [0, 0]
  const faults: string[] = []
  await list({
    file: archive,
    strict: true,
    onReadEntry: (entry) => {
      const fault = faultOf(entry.type, entry.path)
      if (fault !== null) faults.push(fault)
      count++
      bytes += entry.size
      if (count > MAX_FILES) faults.push(`it has more than ${MAX_FILES} files`)
      if (bytes > most) faults.push(`it unpacks to more than ${MAX_RATIO} times its size`)
    },
  })
  const [wrong] = faults
  if (wrong !== undefined) throw refused(say`The archive is not one of MCP Hub: ${wrong}`)
  if (count === 0) throw refused(say`The archive is empty`)
}

function faultOf(type: string, path: string): string | null {
  if (type === 'Directory')
    return path === `${ROOT}/` || path.startsWith(`${ROOT}/`) ? null : `it has the folder ${path}`
  if (type !== 'File' && type !== 'OldFile') return `${path} is a ${type}`
  return path.startsWith(`${ROOT}/`) && isMember(path.slice(ROOT.length + 1)) ? null : `it has the file ${path}`
}

async function readManifest(file: string): Promise<Manifest> {
  const text = await readFile(file, 'utf8').catch(() => null)
  if (text === null) throw refused(say`The archive has no ${MANIFEST}`)
  const parsed = manifestSchema.safeParse(JSON.parse(text))
  if (!parsed.success) throw refused(say`${MANIFEST} of the archive is of another format`)
  const odd = parsed.data.files.find(({ path }) => !isMember(path) || path === MANIFEST)
  if (odd !== undefined) throw refused(say`${MANIFEST} names ${odd.path}`)
  return parsed.data
}

async function checkFiles(manifest: Manifest, stage: string): Promise<void> {
  for (const { path, bytes, sha256 } of manifest.files) {
    const found = await fingerprint(join(stage, path)).catch(() => null)
    if (found === null) throw refused(say`${path} is missing in the archive`)
    if (found.bytes !== bytes || found.sha256 !== sha256) throw refused(say`${path} is damaged in the archive`)
  }
}

async function checkConfig(stage: string): Promise<void> {
  const folder = join(stage, 'config')
  // References stand for what the machine has on which it is restored.
  const store = await openConfigStore(await openFiles(folder))
  const faults: Fault[] = [...store.faults]
  await store.dispose()
  const file = join(folder, 'users.json')
  const users = await readFile(file, 'utf8').catch(() => null)
  const parsed = users === null ? null : parseIdentities(users, file)
  if (parsed?.ok === false) faults.push(...parsed.faults)
  if (faults.length === 0) return
  const [first] = faults
  const message = say`The configuration in the archive is not valid: ${first === undefined ? '' : wordsFrom(first, 'message')}`
  throw new HubError('HUB_BACKUP_REFUSED', message, {
    faults: faults.map((fault) => ({
      ...fault,
      file: fault.file === null ? null : fault.file.slice(stage.length + 1),
    })),
    cure: say`Take another archive.`,
  })
}

async function checkDatabase(manifest: Manifest, stage: string, name: string): Promise<void> {
  if (!manifest.files.some(({ path }) => path === `data/${name}`)) return
  const answer = await quickCheck(join(stage, 'data', name))
  if (answer !== 'ok') throw refused(say`data/${name} is damaged in the archive`)
}

/** In a thread: it reads all of the file, and a hub that serves requests must not stand still for so long. */
async function quickCheck(file: string): Promise<unknown> {
  const { Worker } = await import('node:worker_threads')
  const worker = new Worker(`(${check.toString()})()`, {
    eval: true,
    name: 'check',
    workerData: file,
    env: {},
    execArgv: [],
  })
  try {
    const [answer] = (await once(worker, 'message')) as [unknown]
    return answer
  } finally {
    await worker.terminate()
  }
}

/** The thread. It is handed over as text, so it may use nothing from outside; then it needs no file beside a bundle. */
function check(): void {
  const thread = process.getBuiltinModule('node:worker_threads')
  const { DatabaseSync } = process.getBuiltinModule('node:sqlite')
  const database = new DatabaseSync(String(thread.workerData), { readOnly: true })
  try {
    thread.parentPort?.postMessage(database.prepare('PRAGMA quick_check(1)').get()?.['quick_check'])
  } finally {
    database.close()
  }
}

async function configTexts(stage: string): Promise<ConfigTexts> {
  const [servers, system, profiles] = await Promise.all(
    CONFIG_FILES.slice(0, 3).map((name) => readFile(join(stage, 'config', name), 'utf8').catch(() => null)),
  )
  return {
    servers: servers ?? '{\n  "mcpServers": {}\n}\n',
    system: system ?? '{}\n',
    profiles: profiles ?? '{\n  "profiles": {}\n}\n',
  }
}

function refused(message: string | Said): HubError {
  return new HubError('HUB_BACKUP_REFUSED', message, { cure: say`Take another archive; nothing was restored.` })
}
