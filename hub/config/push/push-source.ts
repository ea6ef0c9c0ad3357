import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'jsonc-parser'
import type { ExecConsents } from '../../auth/exec-consents.ts'
import { changedPrograms } from '../../auth/exec-stamp.ts'
import type { ServersFile } from '../../contract/index.ts'
import type { Log } from '../../observe/log.ts'
import type { Pushes, PushesOptions } from './pushes.ts'

/** Of hubs of before; `old-record.ts` reads them. */
const OLD_FILES = ['config-push.json', 'config-pushes.json']

export interface PushSource {
  /** Loaded with the first call. */
  open: () => Promise<Pushes>
  /** Goes on with a push that was watched when the hub ended; loads nothing when there is none. */
  resume: () => Promise<void>
  dispose: () => Promise<void>
}

export function createPushSource(
  options: Omit<PushesOptions, 'agree' | 'onFailure'> & { dataDir: string; consents: ExecConsents; log: Log },
): PushSource {
  const { consents, log } = options
  let pushes: Promise<Pushes> | null = null

  /** Once, before anything of it is read. */
  let adopted: Promise<void> | null = null
  const adopt = (): Promise<void> => (adopted ??= adoptOld())
  async function adoptOld(): Promise<void> {
    const { text, dataDir } = options
    if (OLD_FILES.some((name) => existsSync(join(dataDir, name))))
      await (await import('./old-record.ts')).adoptOldRecord(text, dataDir)
  }

  async function load(): Promise<Pushes> {
    await adopt()
    const { openPushes } = await import('./pushes.ts')
    return openPushes({
      ...options,
      agree: async (before, { servers }) => {
        const { mcpServers } = parse(servers) as ServersFile
        for (const [name, entry] of changedPrograms(before.mcpServers, mcpServers)) await consents.agree(name, entry)
      },
      onFailure: (error) =>
        log('error', 'A pushed configuration cannot be taken back or kept yet', { error: String(error) }),
    })
  }
  const open = (): Promise<Pushes> =>
    (pushes ??= load().catch((error: unknown) => {
      pushes = null
      throw error
    }))
  let watcher: { close: () => void } | null = null

  async function goOn(): Promise<void> {
    try {
      await adopt()
      const text = await options.text.read()
      // As `push-record.ts` writes it: nearly always there is nothing to finish.
      if (text === null || text.startsWith('{"open":null')) return
      ;(await open()).follow()
    } catch (error) {
      log('error', 'What became of a pushed configuration cannot be told', { error: String(error) })
    }
  }

  return {
    open,
    resume: async () => {
      watcher = options.text.watch(() => void goOn())
      await goOn()
    },
    dispose: async () => {
      watcher?.close()
      await (await pushes?.catch(() => null))?.dispose()
    },
  }
}
