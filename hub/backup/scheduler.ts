import { systemClock, type Clock } from '../clock.ts'
import type { Backup } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import type { Log } from '../observe/log.ts'
import { wordsFrom, type Words } from '../say.ts'
import type { BackupSettings } from './backup-source.ts'
import { createBackup, listBackups } from './create-backup.ts'

const HOUR_MS = 3_600_000
/** How often it is looked whether one is due: a machine that slept, or a setting that changed, is noticed so soon. */
const LOOK_MS = 60_000

export interface BackupSchedule {
  /** Makes one now; after the one that is being made. */
  create: () => Promise<Backup>
  /** Why the last one failed that was made by itself. */
  readonly failure: Words | null
  dispose: () => Promise<void>
}

/** Makes backups when they are due: `everyHours` after the newest one in the folder, whoever made it. */
export function scheduleBackups(options: () => BackupSettings, log: Log, clock: Clock = systemClock): BackupSchedule {
  let failure: Words | null = null
  let working: Promise<unknown> = Promise.resolve()
  let disposed = false
  let cancel = clock.after(0, look)

  function create(): Promise<Backup> {
    const made = working.then(() => createBackup(options()))
    working = made.catch(() => undefined)
    return made
  }

  async function makeIfDue(): Promise<void> {
    const { everyHours, into } = options()
    if (everyHours === null) return
    const [newest] = await listBackups(into)
    if (newest !== undefined && clock.now() - newest.at < everyHours * HOUR_MS) return
    try {
      const { name, bytes } = await create()
      failure = null
      log('info', 'Backup made', { name, bytes })
    } catch (error) {
      failure = error instanceof HubError ? wordsFrom(error, 'message') : String(error)
      log('error', 'The backup failed', { error: String(failure) })
    }
  }

  function look(): void {
    void makeIfDue().finally(() => {
      if (!disposed) cancel = clock.after(LOOK_MS, look)
    })
  }

  return {
    create,
    get failure() {
      return failure
    },
    dispose: async () => {
      disposed = true
      cancel()
      await working
    },
  }
}
