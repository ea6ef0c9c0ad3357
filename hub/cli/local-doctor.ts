import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { takeEnvironment } from '../config/environment.ts'
import type { Sources } from '../config/interpolate.ts'
import { givenFolder, readSettings } from '../config/read-settings.ts'
import { limitDefaults } from '../contract/index.ts'
import { BrokenFile } from '../faults.ts'
import { createRedactor, type Redactor } from '../observe/redactor.ts'
import { createServerLogs } from '../observe/server-log.ts'
import { readFileBelow, secretFolders } from '../secrets/environment.ts'
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
import type { Io, Values } from './command.ts'
import { refuseFaults, sourcesHere } from './settings-here.ts'

export interface LocalDoctor {
  examine: Doctor['examine']
  runtimes: () => ReturnType<typeof reportRuntimes>
  dispose: () => Promise<void>
}

/**
 * The doctor without a hub: secrets are where a hub here would find them, and nobody is signed in anywhere. Throws CommandError
 * for a secrets file that cannot be read.
 */
export async function openLocalDoctor(
  { directory, system }: Pick<Configuration, 'directory' | 'system'>,
  values: Values,
  io: Io,
): Promise<LocalDoctor> {
  const redactor = createRedactor()
  const { references, dispose: forget } = await referencesHere(directory, values, io, redactor)
  const folder = await mkdtemp(join(tmpdir(), 'mcp-hub-doctor-'))
  const table = systemProcessTable()
  const reaper = createReaper(table)
  const journal = await createProcessJournal(journalFile(folder), table, reaper)
  const searchPath = createSearchPathSource(() => loginShellPath({ env: { ...io.env } }))
  const logs = createServerLogs({ folder, redactor })
  const limits = system.limits ?? limitDefaults
  const supervisor = createSupervisor({
    clientInfo: { name: 'mcp-hub', version: io.version },
    defaults: defaultLimits,
    references,
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
      forget()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** As the hub has them: its own secrets are in no reference of a server. The redactor learns each value that is used. */
async function referencesHere(
  directory: string,
  options: Values,
  io: Io,
  redactor: Redactor,
): Promise<{ references: Sources; dispose: () => void }> {
  const env = { ...io.env }
  // What is wrong with it is told by the step before the servers.
  const environment = takeEnvironment(env)
  const { given } = readSettings({ options, environment: environment.values })
  const { sources, dispose } = await sourcesHere(given, env).catch((error: unknown) => {
    if (error instanceof BrokenFile) refuseFaults(error.faults)
    throw error
  })
  redactor.know('environment', environment.secrets)
  const used = new Set<string>()
  return {
    references: {
      ...sources,
      secret: (name) => {
        const value = sources.secret(name)
        if (value !== undefined) redactor.know('references', used.add(value))
        return value
      },
      file: readFileBelow([directory, ...secretFolders(sources.env)], givenFolder(given, 'DATA_DIR')),
    },
    dispose,
  }
}
