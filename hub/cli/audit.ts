import { open, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { givenFolder, givenText } from '../config/read-settings.ts'
import { auditExportSchema } from '../contract/index.ts'
import { verifyChain, type AuditAct } from '../history/audit-chain.ts'
import { allPages, auditColumns, exportLines } from '../history/export.ts'
import type { HistoryStore } from '../history/store.ts'
import { CommandError, exitCodes, UsageError, type Command, type Io, type Values } from './command.ts'
import { folderOptions } from './setting-options.ts'
import { settingsHere } from './settings-here.ts'

type AuditLog = Pick<HistoryStore, 'findAudit' | 'auditChain' | 'close'>

const options = { data: folderOptions.data }

export const auditExportCommand: Command = {
  name: 'audit export',
  summary: 'The audit log of a data folder or of DATABASE_URL, the newest first; the hub may run or be down.',
  options: {
    format: { type: 'string', value: 'ndjson|csv', help: 'how (default ndjson)' },
    from: { type: 'string', value: 'TIME', help: 'acts since then, e.g. 2026-01-31T00:00:00Z' },
    to: { type: 'string', value: 'TIME', help: 'acts before then' },
    out: {
      type: 'string',
      value: 'FILE',
      help: 'into this file, for its owner alone, whole or not at all (default stdout)',
    },
    ...options,
  },
  run: (values, io) => {
    const { format, ...filter } = queryOf(values)
    return withAudit(values, io, async (log) => {
      const pages = allPages(
        (before, limit) => log.findAudit(filter, { before, limit }),
        ({ seq }) => seq,
      )
      const lines = exportLines(pages, format, auditColumns)
      const uncut = until(io.signal, lines)
      if (typeof values['out'] === 'string') await writeLines(path.resolve(values['out']), uncut)
      else for await (const text of uncut) io.out(text)
      return exitCodes.ok
    })
  },
}

export const auditVerifyCommand: Command = {
  name: 'audit verify',
  summary: 'Whether the audit log is whole: each entry has the hash of the one before. 65 where it is not.',
  options: { json: { type: 'boolean', help: 'as JSON' }, ...options },
  run: (values, io) =>
    withAudit(values, io, async (log) => {
      const found = await verifyChain(log.auditChain())
      if (values['json'] === true) io.out(`${JSON.stringify(found, null, 2)}\n`)
      else if (found.broken !== null) io.err(`Entry ${found.broken.seq}: ${found.broken.message}.\n`)
      else if (found.entries === 0) io.out('The audit log has no entry yet.\n')
      else
        io.out(
          `Whole: ${found.entries} entries, ${String(found.firstSeq)} to ${String(found.lastSeq)}. The last hash is ${String(found.head)}\n`,
        )
      return found.ok ? exitCodes.ok : exitCodes.data
    }),
}

/** Notes acts of the command line in PostgreSQL, where no hub sees them happen. */
export async function appendAudit(url: string, acts: readonly AuditAct[]): Promise<void> {
  const { openPostgresStore } = await import('../history/postgres-store.ts')
  const history = await openPostgresStore({ url, onError: () => undefined })
  await history.appendAudit(acts).finally(history.close)
}

function queryOf({ format, from, to }: Values): ReturnType<typeof auditExportSchema.parse> {
  const parsed = auditExportSchema.safeParse({ format, from, to })
  if (parsed.success) return parsed.data
  const name = String(parsed.error.issues[0]?.path[0])
  throw new UsageError(
    name === 'format' ? '--format is ndjson or csv.' : `--${name} is a time such as 2026-01-31T00:00:00Z.`,
  )
}

async function withAudit(values: Values, io: Io, work: (log: AuditLog) => Promise<number>): Promise<number> {
  const { given } = settingsHere(values, io)
  const url = givenText(given, 'DATABASE_URL')
  const log = await (url === undefined ? openFile(path.resolve(givenFolder(given, 'DATA_DIR'))) : openDatabase(url))
  return work(log).finally(log.close)
}

async function openFile(dataDir: string): Promise<AuditLog> {
  const { openSqliteAudit } = await import('../history/sqlite-store.ts')
  const log = openSqliteAudit(dataDir)
  if (log !== null) return log
  throw new CommandError(
    `There is no audit log in ${dataDir}.`,
    'Give the hub’s folder with --data or DATA_DIR, or its database with DATABASE_URL.',
    exitCodes.config,
  )
}

async function openDatabase(url: string): Promise<AuditLog> {
  const { openPostgresStore } = await import('../history/postgres-store.ts')
  return openPostgresStore({ url, onError: () => undefined }).catch((error: unknown) => {
    const { message, code = '' } = error as NodeJS.ErrnoException
    throw new CommandError(
      `PostgreSQL does not give the audit log: ${message === '' ? code : message}`,
      'Start PostgreSQL, or correct DATABASE_URL.',
      exitCodes.unavailable,
    )
  })
}

/** Half of a log must not look like all of it. */
async function* until(signal: AbortSignal, lines: AsyncIterable<string>): AsyncGenerator<string> {
  for await (const text of lines) {
    signal.throwIfAborted()
    yield text
  }
}

/** Beside it and renamed, so that what was kept before stays until all of this is on the disk. */
async function writeLines(file: string, lines: AsyncIterable<string>): Promise<void> {
  const beside = `${file}.${process.pid}.tmp`
  try {
    const handle = await open(beside, 'w', 0o600)
    try {
      await handle.writeFile(lines)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(beside, file)
  } catch (error) {
    await rm(beside, { force: true })
    // What the log itself refused is no matter of this file.
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new CommandError(
      `${file} cannot be written: ${(error as Error).message}`,
      'Give a file in a folder that is there, on a disk with space, and that you may write.',
      exitCodes.cannotCreate,
    )
  }
}
