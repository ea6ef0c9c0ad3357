import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { limitDefaults } from '../contract/index.ts'
import { createRedactor } from '../observe/redactor.ts'
import { createServerLogs } from '../observe/server-log.ts'
import type { Doctor } from '../upstream/doctor/doctor.ts'
import { reportRuntimes } from '../upstream/doctor/runtime-report.ts'
import { defaultLimits } from '../upstream/limits.ts'
import { createOffers } from '../upstream/offers.ts'
import { minimalEnvironment } from '../upstream/process/environment.ts'
import { createProcessJournal, journalFile } from '../upstream/process/journal.ts'
import { systemProcessTable } from '../upstream/process/process-table.ts'
import { createReaper } from '../upstream/process/process-tree.ts'
import { createSearchPathSource, loginShellPath } from '../upstream/process/search-path.ts'
import { createSupervisor } from '../upstream/supervisor.ts'
import type { Configuration } from './read-configuration.ts'
import type { Io } from './command.ts'

export interface LocalDoctor {
  examine: Doctor['examine']
  runtimes: () => ReturnType<typeof reportRuntimes>
  dispose: () => Promise<void>
}

/** The doctor without a hub: secrets come from the environment, and nobody is signed in anywhere. */
export async function openLocalDoctor(
  { directory, system }: Pick<Configuration, 'directory' | 'system'>,
  io: Io,
): Promise<LocalDoctor> {
  const folder = await mkdtemp(join(tmpdir(), 'mcp-hub-doctor-'))
  const table = systemProcessTable()
  const reaper = createReaper(table)
  const journal = await createProcessJournal(journalFile(folder), table, reaper)
  const redactor = createRedactor()
  const searchPath = createSearchPathSource(() => loginShellPath({ env: { ...io.env } }))
  const logs = createServerLogs({ folder, redactor })
  const limits = system.limits ?? limitDefaults
  const supervisor = createSupervisor({
    clientInfo: { name: 'mcp-hub', version: io.version },
    defaults: defaultLimits,
    references: { env: (name) => io.env[name], secret: (name) => io.env[name] },
    offers: createOffers(folder),
    redactor,
    configDir: directory,
    table,
    journal,
    reaper,
    searchPath,
    maxStdioLineBytes: limits.maxStdioLineBytes,
    maxResponseBytes: limits.maxResponseBytes,
    // Whoever runs the command is on this machine anyway.
    agreed: () => true,
    allowPrivateAddresses: () => true,
    authorization: (server) => ({
      header: () => null,
      challenged: () =>
        Promise.resolve({
          code: 'needs-auth',
          message: `${server} asks for a sign-in (401)`,
          cure: 'Sign in from the hub, or set the header Authorization in the entry.',
        }),
    }),
    createLog: () => logs.open('', () => undefined),
    onState: () => undefined,
    onCatalog: () => undefined,
    onNotification: () => undefined,
    isUsageWatched: () => false,
    onUsage: () => undefined,
    onServers: () => undefined,
  })
  return {
    examine: async (...patient) => (await supervisor.doctor()).examine(...patient),
    runtimes: async () => {
      const found = await searchPath.current()
      return reportRuntimes(found, minimalEnvironment(io.env, found.value, process.platform))
    },
    dispose: async () => {
      await supervisor.stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
