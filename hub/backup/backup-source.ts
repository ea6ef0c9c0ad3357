import { join } from 'node:path'
import type { Documents } from '../config/documents.ts'
import { fixedDefault } from '../config/settings.ts'
import type { SystemFile } from '../contract/index.ts'
import type { Log } from '../observe/log.ts'
import type { BackupOptions } from './create-backup.ts'
import type { HubFolders } from './members.ts'
import type { BackupSchedule } from './scheduler.ts'

const FIRST_LOOK_MS = 60_000

export type BackupSettings = BackupOptions & { everyHours: number | null }

export interface BackupSource {
  settings: () => BackupSettings
  open: () => Promise<BackupSchedule>
  /** When the newest archive in the folder was made, whoever made it; null where there is none. */
  newest: () => Promise<number | null>
  /** From now on backups are made when they are due. */
  start: () => void
  dispose: () => Promise<void>
}

/** Backups as `backup` of system.json wants them; nothing of it is loaded for the start of the hub. */
export function createBackupSource(
  options: HubFolders & { version: string; documents: Documents; system: () => SystemFile; log: Log },
): BackupSource {
  const { configDir, dataDir, secretsFile, accountsDir, version, documents, log } = options
  let opened: Promise<BackupSchedule> | null = null
  let timer: NodeJS.Timeout | null = null

  function settings(): BackupSettings {
    const {
      folder = join(dataDir, 'backups'),
      keep = fixedDefault('backup.keep'),
      everyHours = null,
    } = options.system().backup ?? {}
    return { configDir, dataDir, secretsFile, accountsDir, into: folder, keep, everyHours, version, documents }
  }
  const open = (): Promise<BackupSchedule> =>
    (opened ??= import('./scheduler.ts').then(({ scheduleBackups }) => scheduleBackups(settings, log)))

  return {
    settings,
    open,
    newest: async () => (await import('./create-backup.ts')).newestArchive(settings().into),
    start: () => {
      timer = setTimeout(() => void open(), FIRST_LOOK_MS).unref()
    },
    dispose: async () => {
      if (timer !== null) clearTimeout(timer)
      await (await opened)?.dispose()
    },
  }
}
