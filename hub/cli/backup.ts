import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createBackup } from '../backup/create-backup.ts'
import { decryptFile, isEncrypted } from '../backup/encryption.ts'
import { ageRecipientSchema } from '../contract/age-recipient.ts'
import { openDocuments } from '../config/open-documents.ts'
import type { HubFolders } from '../backup/members.ts'
import { openBackup } from '../backup/open-backup.ts'
import { hasDump, restoreBackup } from '../backup/restore-backup.ts'
import { HubError } from '../hub-error.ts'
import { givenText } from '../config/read-settings.ts'
import type { SettingName } from '../config/settings.ts'
import { CommandError, exitCodes, requireOption, UsageError, type Command, type Io, type Values } from './command.ts'
import { folderOptions } from './setting-options.ts'
import { settingsHere } from './settings-here.ts'

const identityOption = {
  identity: { type: 'string', value: 'FILE', help: 'the private key of age, for an archive that is encrypted' },
} as const

export const backupCommand: Command = {
  name: 'backup',
  summary: 'Keep everything that a hub has in an archive, checked before older ones are deleted; the hub may run.',
  options: {
    ...folderOptions,
    out: { type: 'string', value: 'DIR', help: 'folder of the archives' },
    keep: { type: 'string', value: 'N', help: 'how many archives stay there (default 30)' },
    recipients: {
      type: 'string',
      value: 'KEY,…',
      help: 'public keys of age (age1…) that the archive is encrypted for',
    },
    dump: { type: 'string', value: 'FILE', help: 'a dump of the database (pg_dump) that the archive takes in' },
    json: { type: 'boolean', help: 'print what was written as JSON' },
  },
  run: (values, io) =>
    explained(async () => {
      const folders = foldersOf(values, io)
      const into = path.resolve(requireOption(values, 'out'))
      const recipients = recipientsOf(values)
      const documents = await openDocuments({
        configDir: folders.configDir,
        dataDir: folders.dataDir,
        databaseUrl: databaseOf(values, io),
        sources: undefined,
        log: () => undefined,
      })
      const keep = numberOf(values, 'keep', 30)
      const backup = await createBackup({
        ...folders,
        into,
        keep,
        version: io.version,
        recipients,
        documents,
        dump: fileOf(values, 'dump'),
      }).finally(documents.dispose)
      io.out(
        values['json'] === true
          ? `${JSON.stringify({ ...backup, folder: into })}\n`
          : `Wrote ${path.join(into, backup.name)}, ${(backup.bytes / 1_024).toFixed(0)} kB, and checked every byte${recipients.length > 0 ? ' before it was encrypted' : ''}.\n`,
      )
    }),
}

export const backupVerifyCommand: Command = {
  name: 'backup verify',
  summary: 'Read an archive and check all of it, as restoring would; changes nothing.',
  positional: { name: 'file', help: 'the archive' },
  options: identityOption,
  run: (values, io) =>
    explained(() =>
      withArchive(values, async (archive, stage) => {
        const { manifest } = await openBackup(archive, path.join(stage, 'archive'))
        const date = new Date(manifest.at).toISOString()
        io.out(`Whole: ${manifest.files.length} files of ${date}, by MCP Hub ${manifest.version}.\n`)
      }),
    ),
}

export const restoreCommand: Command = {
  name: 'restore',
  summary: 'Put what an archive holds in the place of what a hub has; what was there is moved aside.',
  positional: { name: 'file', help: 'the archive' },
  options: {
    ...folderOptions,
    ...identityOption,
    'dump-to': { type: 'string', value: 'FILE', help: 'where a dump of the database in the archive is written' },
  },
  run: (values, io) =>
    explained(async () => {
      const dumpTo = fileOf(values, 'dump-to')
      const { manifest, before } = await withArchive(values, (archive) =>
        restoreBackup(archive, foldersOf(values, io), dumpTo),
      )
      const date = new Date(manifest.at).toISOString()
      io.out(`Restored ${manifest.files.length} files of ${date}. What was there is in ${before}\n`)
      if (hasDump(manifest))
        io.out(
          dumpTo === undefined
            ? 'It holds a dump of PostgreSQL, which --dump-to FILE would have written.\n'
            : `The dump of PostgreSQL in it is in ${dumpTo}\n`,
        )
      else if (databaseOf(values, io) !== null)
        io.out(
          'The configuration in PostgreSQL (DATABASE_URL) is as it was, and is what the hubs use: bring that of the archive into force at a running hub with POST /api/backups/NAME/restore, or restore the database.\n',
        )
    }),
}

function foldersOf(values: Values, io: Io): HubFolders {
  const { given } = settingsHere(values, io)
  // As the hub reads them: a variable that is set to nothing is not set.
  const place = (variable: SettingName): string | undefined => {
    const text = givenText(given, variable)
    return text === undefined ? undefined : path.resolve(text)
  }
  const folder = (option: string, variable: 'CONFIG_DIR' | 'DATA_DIR'): string => {
    const found = place(variable)
    // No default: what is put back must not go anywhere that nobody named.
    if (found === undefined) throw new UsageError(`--${option} is missing, and ${variable} is not set.`)
    return found
  }
  const dataDir = folder('data', 'DATA_DIR')
  return {
    configDir: folder('config', 'CONFIG_DIR'),
    dataDir,
    secretsFile: place('MCP_HUB_SECRETS_FILE') ?? path.join(dataDir, 'secrets.json'),
    accountsDir: place('ACCOUNTS_DIR'),
  }
}

function fileOf(values: Values, option: string): string | undefined {
  const given = values[option]
  return typeof given === 'string' ? path.resolve(given) : undefined
}

const databaseOf = (values: Values, io: Io): string | null =>
  givenText(settingsHere(values, io).given, 'DATABASE_URL') ?? null

async function archiveOf(values: Values): Promise<string> {
  const { file } = values
  if (typeof file !== 'string') throw new UsageError('FILE is missing.')
  const archive = path.resolve(file)
  const found = await stat(archive).catch(() => null)
  if (found?.isFile() !== true) throw new CommandError(`${archive} is no file.`, 'Give an archive.', exitCodes.data)
  return archive
}

/** With a folder that goes afterwards, and the archive: decrypted in it where there is a key. */
async function withArchive<T>(values: Values, work: (archive: string, stage: string) => Promise<T>): Promise<T> {
  const archive = await archiveOf(values)
  const stage = await mkdtemp(path.join(tmpdir(), 'mcp-hub-archive-'))
  try {
    const { identity } = values
    if (typeof identity !== 'string' || !(await isEncrypted(archive))) return await work(archive, stage)
    const plain = path.join(stage, 'archive.tar.gz')
    await decryptFile(archive, plain, path.resolve(identity))
    return await work(plain, stage)
  } finally {
    await rm(stage, { recursive: true, force: true })
  }
}

function recipientsOf({ recipients }: Values): string[] {
  const keys = typeof recipients === 'string' ? recipients.split(',') : []
  for (const key of keys) {
    const problem = ageRecipientSchema.safeParse(key).error?.issues[0]?.message
    if (problem !== undefined) throw new UsageError(`--recipients ${key}: must be ${problem}.`)
  }
  return keys
}

function numberOf(values: Values, option: string, fallback: number): number {
  const given = values[option]
  if (given === undefined) return fallback
  const number = Number(given)
  if (!Number.isInteger(number) || number < 1)
    throw new UsageError(`--${option}: a whole number of at least 1 is needed.`)
  return number
}

/** An archive that is refused is wrong data; what the disk refuses cannot be created. */
async function explained(work: () => Promise<void>): Promise<number> {
  try {
    await work()
    return exitCodes.ok
  } catch (error) {
    if (!(error instanceof HubError)) throw error
    const faults = (error.faults ?? []).map(
      ({ file, line, message }) => `${[file, line].filter(Boolean).join(':')}: ${message}`,
    )
    const code =
      error.code === 'HUB_BACKUP_REFUSED'
        ? exitCodes.data
        : error.code === 'HUB_CONFLICT'
          ? exitCodes.unavailable
          : error.code === 'HUB_STORE_UNAVAILABLE'
            ? exitCodes.unavailable
            : exitCodes.cannotCreate
    throw new CommandError([error.message, ...faults].join('\n'), error.cure ?? '', code)
  }
}
