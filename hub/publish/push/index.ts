import { join } from 'node:path'
import type { ConfigChoice, RunEvent, RunOperation, RunResult, Verification } from '../../contract/push.ts'
import { HubError } from '../../hub-error.ts'
import { say, told, wordsFrom, type Said } from '../../say.ts'
import type { Publisher } from '../index.ts'
import { createPublishHistory, publishId, type PublishHistory } from './history.ts'
import { createKnownHosts, type KnownHosts } from './known-hosts.ts'
import { placesOf } from './places.ts'
import { pull, type LocalConfig } from './pull.ts'
import { planPush, preparePush, push, type Progress } from './push.ts'
import { releaseInUse, RolledBack } from './release.ts'
import { rollback } from './rollback.ts'
import { Cancelled, createRun, problemOf, type Answerer, type Run } from './run.ts'
import { openShell, type Shell } from './shell.ts'
import { createTargets, type StoredTarget, type Targets } from './targets.ts'
import { verify } from './verify.ts'

export interface PushOptions {
  /** Folder of the targets, the known hosts and the history. */
  folder: string
  publisher: Publisher
  version: string
  /** Where keys of hosts are looked for besides; `~/.ssh/known_hosts` by default. */
  otherKnownHosts?: readonly string[]
  /** How long it waits before each try to connect again. */
  reconnectMs?: readonly number[]
}

export interface Asked {
  operation: RunOperation
  /** In the history of which target it is kept; null for one that is not saved. */
  name: string | null
  stored: StoredTarget
  by: string
  answer: Answerer
  tell: (event: RunEvent) => void
  signal: AbortSignal
  /** Of a push. */
  config?: ConfigChoice | undefined
  /** Of a rollback. */
  release?: string | undefined
  /** Of a pull. */
  local?: LocalConfig
}

export interface PushService {
  targets: Targets
  history: PublishHistory
  knownHosts: KnownHosts
  /** Runs one operation to its end; how it ended is what it answers, also when it failed. */
  run: (asked: Asked) => Promise<RunResult>
}

type Done = Partial<Pick<RunResult, 'message' | 'verifications' | 'pulled'>>

/** Everything between this installation and the servers that it publishes to. */
export function createPushService(options: PushOptions): PushService {
  const { folder, publisher } = options
  const targets = createTargets(folder)
  const history = createPublishHistory(folder)
  const knownHosts = createKnownHosts(join(folder, 'known_hosts'), options.otherKnownHosts)
  /** Targets that something is done to: a second run would only wait for the first one's lock. */
  const busy = new Set<string>()
  const checked = new Set<string>()

  async function work(asked: Asked, run: Run, shell: Shell, progress: Progress): Promise<Done> {
    const { target } = asked.stored
    switch (asked.operation) {
      case 'plan': {
        const packed = await preparePush(run, await publisher.build(target), checked)
        await planPush(shell, run, packed, target, progress)
        return { message: `${packed.bundle.release} against ${progress.inUse ?? 'nothing'}.` }
      }
      case 'push': {
        const packed = await preparePush(run, await publisher.build(target), checked)
        return { message: await push(shell, run, packed, target, asked, progress) }
      }
      case 'rollback':
        return { message: await rollback(shell, run, target, asked.release, progress) }
      case 'verify': {
        const verifications = await verify(shell, run, target, options.version, progress)
        return { verifications, message: summaryOf(verifications) }
      }
      case 'pull': {
        if (asked.local === undefined) throw new Error('A pull needs a configuration to change')
        const pulled = await pull(shell, run, target, await publisher.build(target), asked.local, progress)
        return { pulled, message: `${pulled.meanings.length} differences.` }
      }
    }
  }

  async function attempt(asked: Asked, run: Run, progress: Progress): Promise<Done> {
    const key = `${asked.stored.connection.host}:${asked.stored.connection.port}${asked.stored.target.installDir}`
    const changes = asked.operation === 'push' || asked.operation === 'rollback'
    if (changes && busy.has(key))
      throw new HubError('HUB_TARGET_BUSY', say`A push to this target is under way here`, {
        cure: say`Wait until it has ended.`,
      })
    if (changes) busy.add(key)
    let shell: Shell | null = null
    try {
      shell = await openShell(asked.stored.connection, { run, knownHosts, delays: options.reconnectMs })
      return await work(asked, run, shell, progress)
    } catch (error) {
      if (shell !== null && progress.begun !== undefined) await lookAgain(shell, asked, run, progress)
      throw error
    } finally {
      shell?.close()
      if (changes) busy.delete(key)
    }
  }

  async function record(asked: Asked, run: Run, progress: Progress, result: RunResult): Promise<string | null> {
    const { begun, bundle, plan } = progress
    if (begun === undefined || asked.name === null) return null
    const id = publishId(run.startedAt)
    const manifest = bundle?.files.find(({ path }) => path === 'manifest.json')?.text
    await history.add(
      asked.name,
      run.clean({
        id,
        at: run.startedAt,
        durationMs: Date.now() - run.startedAt,
        by: run.by,
        operation: asked.operation === 'push' ? 'push' : 'rollback',
        ...begun,
        inUse: progress.inUse,
        outcome: result.outcome,
        problem: result.problem,
        target: asked.stored.target,
        steps: run.steps,
        log: run.lines,
        comparison: plan?.comparison ?? null,
        manifest: typeof manifest === 'string' ? (JSON.parse(manifest) as unknown) : null,
        files:
          bundle?.files.flatMap(({ path, text }) =>
            text === null || path === 'manifest.json' ? [] : [{ path, text }],
          ) ?? [],
      }),
    )
    return id
  }

  return {
    targets,
    history,
    knownHosts,
    run: async (asked) => {
      const run = createRun(asked)
      const progress: Progress = {}
      const result: RunResult = {
        type: 'result',
        operation: asked.operation,
        outcome: 'done',
        inUse: null,
        message: '',
        problem: null,
        record: null,
        plan: null,
        verifications: null,
        pulled: null,
      }
      try {
        Object.assign(result, await attempt(asked, run, progress))
      } catch (error) {
        Object.assign(result, endOf(error, run, progress))
      }
      result.inUse = progress.inUse ?? null
      result.plan = progress.plan ?? null
      result.record = await record(asked, run, progress, result).catch((error: unknown) => {
        run.log(`The history could not be kept: ${String(error)}`)
        return null
      })
      return run.clean(result)
    },
  }
}

/** After a failure: what is in use now? It must not be guessed. */
async function lookAgain(shell: Shell, asked: Asked, run: Run, progress: Progress): Promise<void> {
  delete progress.inUse
  const places = placesOf(asked.stored.target, run.id)
  const inUse = await releaseInUse(shell, places, AbortSignal.timeout(10_000)).catch(() => undefined)
  if (inUse !== undefined) progress.inUse = inUse
}

function endOf(error: unknown, run: Run, progress: Progress): Pick<RunResult, 'outcome' | 'message' | 'problem'> {
  const state = stateOf(progress)
  if (error instanceof Cancelled || run.signal.aborted) {
    run.step('cancel', 'ok', state)
    return { outcome: 'cancelled', message: `Cancelled. ${state.text}`, problem: null }
  }
  const problem = problemOf(error)
  const words = wordsFrom(problem, 'detail')
  const detail = problem.detail.endsWith('.') ? say`${words} ${state}` : say`${words}. ${state}`
  const open = [...run.steps].reverse().find(({ state: was }) => was !== 'skipped')
  if (open?.state === 'start') run.step(open.step, 'failed', words)
  return {
    outcome: error instanceof RolledBack && progress.inUse === progress.begun?.before ? 'rolled-back' : 'failed',
    message: detail.text,
    problem: told({ ...problem, detail }),
  }
}

function stateOf({ begun, inUse }: Progress): Said {
  if (inUse === null) return say`Nothing is in use on the target.`
  if (inUse !== undefined) return say`${inUse} is in use on the target.`
  return begun === undefined
    ? say`Nothing was changed on the target.`
    : say`What is in use on the target could not be found out.`
}

function summaryOf(verifications: readonly Verification[]): string {
  const count = (wanted: Verification['outcome']): number =>
    verifications.filter(({ outcome }) => outcome === wanted).length
  return `${count('passed')} passed, ${count('warning')} warnings, ${count('failed')} failed.`
}
