import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import path from 'node:path'
import { openFiles } from '../config/documents.ts'
import { openConfigStore } from '../config/store.ts'
import { createConfigVersions } from '../config/versions.ts'
import { configChoices, type ConfigChoice, type RunOperation, type RunResult } from '../contract/push.ts'
import { createPublisher } from '../publish/index.ts'
import { createPushService, type Asked } from '../publish/push/index.ts'
import type { LocalConfig } from '../publish/push/pull.ts'
import { UsageError, type Command, type Io, type Values } from './command.ts'
import { answersFrom } from './push-answers.ts'
import { describePlan, exitCodeOf, filesOf, tellTo } from './push-output.ts'
import { connectionOptions, targetFrom } from './push-target.ts'
import { readConfiguration, type Configuration } from './read-configuration.ts'

const yes = { type: 'boolean', help: 'go ahead without asking' } as const
const positional = { name: 'target', help: 'name of a saved target' }

export const pushCommand: Command = {
  name: 'push',
  summary: 'Bring this configuration into use on a server over SSH; what is not healthy is rolled back.',
  positional,
  options: {
    ...connectionOptions,
    changed: {
      type: 'string',
      value: 'keep|replace',
      help: 'what becomes of a configuration that was changed there since the last publish',
    },
    yes,
  },
  run: (values, io) =>
    start('push', values, io, {
      options: () => ({ config: choiceOf(values) }),
      print: ({ message }) => `${message}\n`,
    }),
}

export const diffCommand: Command = {
  name: 'diff',
  summary: 'Compare what a server runs with what a push would bring; code 1 when they differ.',
  positional,
  options: connectionOptions,
  run: (values, io) =>
    start('plan', values, io, {
      print: ({ plan }) => (plan === null ? '' : `${describePlan(plan)}${filesOf(plan.comparison, true).join('\n')}\n`),
      differs: ({ plan }) => (plan?.comparison.files.length ?? 0) + (plan?.comparison.meanings.length ?? 0) > 0,
    }),
}

export const rollbackCommand: Command = {
  name: 'rollback',
  summary: 'Go back to a release that is still on a server: the one before, or the one named.',
  positional,
  options: {
    ...connectionOptions,
    release: { type: 'string', value: 'RELEASE', help: 'which one (default: the one before)' },
    yes,
  },
  run: (values, io) =>
    start('rollback', values, io, {
      options: () => ({ release: typeof values['release'] === 'string' ? values['release'] : undefined }),
      print: ({ message }) => `${message}\n`,
    }),
}

export const verifyCommand: Command = {
  name: 'verify',
  summary: 'Try what a server runs: smoke test, certificate, versions, configuration; code 1 when something is wrong.',
  positional,
  options: connectionOptions,
  run: (values, io) =>
    start('verify', values, io, {
      print: ({ verifications, message }) =>
        `${(verifications ?? []).map(({ name, outcome, message: told, cure }) => `${outcome}: ${name}: ${told}${cure === null ? '' : ` ${cure}`}\n`).join('')}${message}\n`,
      differs: ({ verifications }) => verifications?.some(({ outcome }) => outcome === 'failed') === true,
    }),
}

export const pullCommand: Command = {
  name: 'pull',
  summary: 'Take back what was changed in the configuration of a server, into the folder here.',
  positional,
  options: { ...connectionOptions, yes },
  run: (values, io) =>
    start('pull', values, io, {
      print: ({ pulled }) => (pulled?.meanings ?? []).map(({ message }) => `${message}\n`).join(''),
    }),
}

interface Wishes {
  options?: () => Pick<Asked, 'config' | 'release'>
  print: (result: RunResult) => string
  /** Whether what was found is told by code 1. */
  differs?: (result: RunResult) => boolean
}

async function start(operation: RunOperation, values: Values, io: Io, wishes: Wishes): Promise<number> {
  // What only looks at the server, or goes back there, needs no configuration here.
  const here = ['plan', 'push', 'pull'].includes(operation) ? await readConfiguration(values, io) : null
  const options = wishes.options?.() ?? {}
  const data = dataOf(values, io)
  // Without one nothing is kept: known are the hosts that the user knows, and those of --host-key.
  const folder = data ?? (await mkdtemp(path.join(tmpdir(), 'mcp-hub-push-')))
  try {
    const push = createPushService({
      folder: path.join(folder, 'publish'),
      publisher: createPublisher({
        loadServers: () => here?.servers ?? { mcpServers: {} },
        loadSystem: () => here?.systemAsWritten ?? {},
        loadProfiles: () => here?.profiles.profiles ?? {},
        distDir: io.distDir,
        version: io.version,
      }),
      version: io.version,
    })
    const target = await targetFrom(values, push.targets)
    const refused: { usage?: UsageError } = {}
    const answers = answersFrom(values, io)
    const result = await push.run({
      operation,
      ...target,
      ...options,
      by: userInfo().username,
      tell: tellTo(io),
      signal: io.signal,
      answer: async (question, signal) => {
        try {
          return await answers(question, signal)
        } catch (error) {
          if (error instanceof UsageError) refused.usage = error
          throw error
        }
      },
      ...(here === null ? {} : { local: localConfig(here, data) }),
    })
    if (refused.usage !== undefined) throw refused.usage
    if (values['json'] === true) io.out(`${JSON.stringify(result)}\n`)
    else if (result.outcome === 'done') io.out(wishes.print(result))
    if (result.outcome !== 'done')
      io.err(
        [result.message, result.problem?.cure, ''].filter((line) => line !== null && line !== undefined).join('\n'),
      )
    return exitCodeOf(result, result.outcome === 'done' && wishes.differs?.(result) === true)
  } finally {
    if (data === null) await rm(folder, { recursive: true, force: true })
  }
}

function dataOf(values: Values, io: Io): string | null {
  const given = values['data'] ?? io.env['DATA_DIR']
  if (typeof given === 'string' && given !== '') return path.resolve(given)
  if (values['host'] === undefined)
    throw new UsageError('--data is missing, and DATA_DIR is not set: that is where targets are saved.')
  return null
}

function choiceOf(values: Values): ConfigChoice | undefined {
  const { changed } = values
  const choice = configChoices.find((known) => known === changed)
  if (changed !== undefined && choice === undefined) throw new UsageError(`--changed is ${configChoices.join(' or ')}.`)
  return choice
}

/** The files here. A hub that runs notices the change, keeps a version of it, and asks a person for new programs. */
function localConfig({ directory, texts }: Configuration, data: string | null): LocalConfig {
  const by = userInfo().username
  return {
    texts: () => texts,
    save: async (next, reason) => {
      const store = await openConfigStore(await openFiles(directory))
      const versions = data === null ? null : createConfigVersions(path.join(data, 'versions'), () => undefined)
      try {
        await versions?.record(store.texts, null, null)
        await store.replace(next, { by, reason })
        await versions?.record(store.texts, by, reason)
      } finally {
        await store.dispose()
      }
    },
  }
}
