import { createReadStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Request } from 'express'
import type { BackupSettings } from '../backup/backup-source.ts'
import { isBackupName, listBackups } from '../backup/create-backup.ts'
import { openBackup } from '../backup/open-backup.ts'
import type { BackupSchedule } from '../backup/scheduler.ts'
import { changesBetween } from '../config/changes.ts'
import type { ConfigStore } from '../config/store.ts'
import type { BackupContents, Backups, ConfigTexts } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, told } from '../say.ts'
import type { ProgramsConsent } from './exec-check.ts'
import { nameParam, verbatim, type On } from './routes.ts'

/** `/api/backups`: archives of everything that the hub has. */
export function backupRoutes(
  on: On,
  options: {
    settings: () => BackupSettings
    open: () => Promise<BackupSchedule>
    config: ConfigStore
    programs: ProgramsConsent
  },
): void {
  /** Only the archives in the folder can be named. */
  async function archiveOf(request: Request): Promise<string> {
    const name = nameParam(request)
    const file = join(options.settings().into, name)
    const found = isBackupName(name) ? await stat(file).catch(() => null) : null
    if (found === null) throw new HubError('HUB_BACKUP_NOT_FOUND', say`There is no backup named ${name}`)
    return file
  }

  async function list(): Promise<Backups> {
    const { into, keep, everyHours } = options.settings()
    const { failure } = await options.open()
    return told({ folder: into, keep, everyHours, failure, backups: await listBackups(into) })
  }

  on('GET /api/backups', async (_request, response) => {
    response.json(await list())
  })

  on('POST /api/backups', async (_request, response) => {
    response.status(201).json(await (await options.open()).create())
  })

  on('GET /api/backups/:name', async (request, response) => {
    const file = await archiveOf(request)
    response.attachment(nameParam(request)).type('application/gzip')
    await pipeline(createReadStream(file), response)
  })

  on('DELETE /api/backups/:name', async (request, response) => {
    await rm(await archiveOf(request))
    response.status(204).end()
  })

  /** The configuration in an archive, which is checked as a whole before any of it is used. */
  async function textsOf(request: Request): Promise<ConfigTexts> {
    const file = await archiveOf(request)
    const opened = await openBackup(file, await mkdtemp(join(options.settings().into, '.stage-')))
    try {
      return opened.texts
    } finally {
      await opened.dispose()
    }
  }

  on('GET /api/backups/:name/contents', async (request, response) => {
    const files = await textsOf(request)
    const current = options.config.texts
    const contents: BackupContents = { files, current, differences: changesBetween(current, files) }
    verbatim(response).json(contents)
  })

  on('POST /api/backups/:name/restore', async (request, response) => {
    const texts = await textsOf(request)
    await options.programs.replace(request, texts, say`Restored from ${nameParam(request)}`)
    response.status(204).end()
  })
}
