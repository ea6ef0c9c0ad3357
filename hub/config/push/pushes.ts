import { randomUUID } from 'node:crypto'
import {
  isEnabled,
  type ConfigTexts,
  type PushStatus,
  type ServersFile,
  type ServerStatus,
} from '../../contract/index.ts'
import { HubError } from '../../hub-error.ts'
import { say, told as toldOf, wordsFrom, type Said, type Words } from '../../say.ts'
import { changesBetween } from '../changes.ts'
import { entityTag } from '../entity-tag.ts'
import type { KeptText } from '../kept-text.ts'
import type { ConfigStore } from '../store.ts'
import { openPushRecord, type OpenPush } from './push-record.ts'

export interface PushesOptions {
  /** Where pushes are kept; hubs that share it finish each other's. */
  text: KeptText
  shared: boolean
  config: Pick<ConfigStore, 'texts' | 'servers' | 'replace'>
  servers: () => readonly ServerStatus[]
  /** Why the hub should get no work; null when it should. */
  unready: () => Words | null
  /** Brings what was written into force. */
  applied: () => Promise<void>
  /**
   * Whoever pushes agrees to the programs that are others than before. What ran before was agreed to already. The push is taken
   * back where it rejects.
   */
  agree: (before: ServersFile, texts: ConfigTexts) => Promise<void>
  /** How long a push is watched before it is kept. */
  watchMs: () => number
  /** Of each change of state. */
  told: (push: PushStatus) => void
  /** The old configuration could not be written. */
  onFailure: (error: unknown) => void
  now?: () => number
}

/** Pushed configurations: each is watched for a while, and taken back when what ran before it does not run any more. */
export interface Pushes {
  /** Brings texts into force. Throws HUB_CONFLICT while another push is watched, HUB_CHANGED_MEANWHILE for an old `ifMatch`. */
  push: (texts: ConfigTexts, change: { by: string; reason: string | null; ifMatch: string }) => Promise<PushStatus>
  /** The newest first. */
  list: () => Promise<PushStatus[]>
  get: (id: string) => Promise<PushStatus | null>
  /** Finishes what another hub watches, should that one end. */
  follow: () => void
  dispose: () => Promise<void>
}

const LOOK_MS = 500
/** After a look that failed, e.g. because the database is away. */
const RETRY_MS = 5_000
/** So often a hub says that it watches; who has said nothing for the lease is taken for one that ended. */
const BEAT_MS = 1_000
const LEASE_MS = 5 * BEAT_MS
/** A server that starts for the first time may have to be fetched: so many times the window it gets for that. */
const PATIENCE = 4
/** So often may a server end in the window and still count as one that runs. */
const MAX_ENDS = 1

type Failure = PushStatus['failures'][number] & { final: boolean }

/** Goes on with a push that was watched when the hub ended, this one or another. */
export async function openPushes(options: PushesOptions): Promise<Pushes> {
  const { config, watchMs, told, now = Date.now } = options
  const record = await openPushRecord(options.text, randomUUID())
  let timer: NodeJS.Timeout | null = null
  let looking: Promise<void> = Promise.resolve()
  let disposed = false
  let quietUntil = 0
  let beatAt = 0
  let follower: NodeJS.Timeout | null = null
  /** How often each server had ended when the window began. */
  let endsBefore = new Map<string, number>()

  const isIn = (texts: ConfigTexts): boolean => entityTag(config.texts) === entityTag(texts)

  function watch(): void {
    endsBefore = new Map(options.servers().map(({ name, restarts }) => [name, restarts]))
    timer = setInterval(
      () => {
        looking = looking.then(look).catch((error: unknown) => {
          quietUntil = now() + RETRY_MS
          options.onFailure(error)
        })
      },
      Math.min(LOOK_MS, watchMs()),
    )
    timer.unref()
  }

  async function look(): Promise<void> {
    const push = record.open
    if (push === null || disposed || now() < quietUntil) return
    if (options.shared && now() >= beatAt + BEAT_MS) {
      beatAt = now()
      if (!(await record.keep(push))) {
        leave()
        return
      }
    }
    if (push.status.state === 'revert-failed') return revert(push, push.status.failures)
    if (!isIn(push.after)) return decide(push, 'superseded')
    const failures = failuresOf(push)
    const due = now() >= push.status.until
    const isFinal = failures.some(({ final }) => final)
    if (failures.length > 0 && (isFinal || (due && !mayStillStart(push)))) return revert(push, failures.map(plain))
    if (due && failures.length === 0) return decide(push, 'kept')
  }

  function failuresOf({ ran }: OpenPush): Failure[] {
    const found = ran.flatMap((name): Failure[] => {
      const entry = Object.hasOwn(config.servers.mcpServers, name) ? config.servers.mcpServers[name] : undefined
      // Who removes or disables a server means it.
      if (entry === undefined || !isEnabled(entry)) return []
      const status = options.servers().find((one) => one.name === name)
      const state = status?.state ?? null
      const ends = (status?.restarts ?? 0) - Math.min(endsBefore.get(name) ?? 0, status?.restarts ?? 0)
      if (ends > MAX_ENDS)
        return [toldOf({ server: name, state, message: say`${name} ended ${ends} times`, final: true })]
      if (state === 'running' || state === 'degraded' || state === 'idle') return []
      const reason = status?.reason ?? null
      const message =
        reason !== null
          ? wordsFrom(reason, 'message')
          : state === null
            ? say`it is not there`
            : say`its state is ${state}`
      return [toldOf({ server: name, state, message, final: state === 'failed' || state === 'needs-auth' })]
    })
    const reason = options.unready()
    if (reason === null) return found
    return [...found, toldOf({ server: null, state: null, message: say`it can take no work: ${reason}`, final: false })]
  }

  /** Nothing failed yet, but something has not come up: fetching a program takes its time. */
  function mayStillStart(push: OpenPush): boolean {
    if (now() >= push.status.until + (PATIENCE - 1) * watchMs()) return false
    return failuresOf(push).every(({ server, state }) => {
      const status = options.servers().find(({ name }) => name === server)
      return state === 'starting' && status?.attempt === 0
    })
  }

  async function revert(push: OpenPush, failures: PushStatus['failures']): Promise<void> {
    const { by, at } = push.status
    try {
      await config.replace(push.before, {
        by: 'MCP Hub',
        reason: takesBack(by, new Date(at).toISOString(), failures),
        // Never over what somebody else did meanwhile.
        ifMatch: entityTag(push.after),
      })
    } catch (error) {
      if (error instanceof HubError && error.code === 'HUB_CHANGED_MEANWHILE')
        return decide(push, 'superseded', failures)
      if (push.status.state !== 'revert-failed') {
        push.status = { ...push.status, state: 'revert-failed', failures }
        told(push.status)
        await record.keep(push)
      }
      throw error
    }
    await options.applied()
    await decide(push, 'reverted', failures)
  }

  async function decide(
    push: OpenPush,
    state: PushStatus['state'],
    failures: PushStatus['failures'] = [],
  ): Promise<void> {
    const status: PushStatus = { ...push.status, state, failures, decidedAt: now() }
    const isMine = await record.end(status)
    leave()
    if (isMine) told(status)
  }

  /** Decided, or watched by another hub now. */
  function leave(): void {
    if (timer !== null) clearInterval(timer)
    timer = null
    follow()
  }

  async function goOn(push: OpenPush): Promise<void> {
    if (isIn(push.after)) {
      // What runs now was started a moment ago: it gets the whole window.
      push.status = { ...push.status, until: now() + watchMs() }
      if (await record.keep(push)) watch()
    } else if (isIn(push.before)) await decide(push, 'not-applied')
    else if (isBetween(config.texts, push)) {
      await config.replace(push.before, { by: 'MCP Hub', reason: say`Takes back a push that was cut off` })
      await options.applied()
      await decide(push, 'not-applied')
    } else await decide(push, 'superseded')
  }

  async function list(): Promise<PushStatus[]> {
    if (options.shared) await record.load()
    return [...(record.open === null ? [] : [record.open.status]), ...record.decided]
  }

  /** Goes on in the place of the hub that watches, once that one has said nothing for a while, by this hub's own clock. */
  function follow(): void {
    if (!options.shared || follower !== null || disposed || record.open === null || record.isMine) return
    let heard = { pulse: record.pulse, at: performance.now() }
    const stop = (): void => {
      if (follower !== null) clearInterval(follower)
      follower = null
    }
    async function listen(): Promise<void> {
      await record.load()
      if (disposed || record.open === null || record.isMine) {
        stop()
        return
      }
      const { pulse } = record
      if (pulse !== heard.pulse) heard = { pulse, at: performance.now() }
      if (performance.now() - heard.at < LEASE_MS || !(await record.takeOver(pulse))) return
      stop()
      await goOn(record.open)
    }
    let listening: Promise<void> | null = null
    follower = setInterval(() => {
      listening ??= listen()
        .catch(options.onFailure)
        .finally(() => (listening = null))
    }, BEAT_MS)
    follower.unref()
  }

  // What is shared may be watched by a hub that is there.
  if (options.shared) follow()
  else if (record.open !== null && (await record.takeOver(record.pulse))) await goOn(record.open)

  return {
    push: async (texts, { by, reason, ifMatch }) => {
      const { texts: before, servers } = config
      const at = now()
      const status: PushStatus = {
        id: randomUUID(),
        by,
        reason,
        at,
        state: 'watching',
        until: at + watchMs(),
        decidedAt: null,
        failures: [],
        changes: changesBetween(before, texts),
      }
      const ran = options
        .servers()
        .flatMap(({ name, state }) => (state === 'running' || state === 'degraded' ? name : []))
      const push: OpenPush = { status, before, after: texts, ran }
      // First of all: a hub that ends from here on knows what to go back to.
      await record.begin(push)
      try {
        await config.replace(texts, { by, reason, ifMatch })
      } catch (error) {
        await record.forget()
        throw error
      }
      told(status)
      try {
        await options.agree(servers, texts)
      } catch (error) {
        // What it adds would wait for a yes that nobody is asked for.
        const why = error instanceof HubError ? wordsFrom(error, 'message') : String(error)
        const message = say`its programs cannot be agreed to: ${why}`
        await revert(push, [toldOf({ server: null, state: null, message })]).catch(options.onFailure)
        if (record.open === null) return record.decided[0] ?? status
      }
      await options.applied()
      watch()
      return push.status
    },
    list,
    get: async (id) => (await list()).find((push) => push.id === id) ?? null,
    follow: () => void record.load().then(follow).catch(options.onFailure),
    dispose: async () => {
      disposed = true
      if (timer !== null) clearInterval(timer)
      if (follower !== null) clearInterval(follower)
      await looking
    },
  }
}

/** The first failure stands for all: the push itself lists them. */
function takesBack(by: string, at: string, failures: PushStatus['failures']): Said {
  const [first, ...others] = failures
  if (first === undefined) return say`Takes back what ${by} pushed at ${at}`
  const why = wordsFrom(first, 'message')
  return others.length === 0
    ? say`Takes back what ${by} pushed at ${at}: ${why}`
    : say`Takes back what ${by} pushed at ${at}: ${why}; and ${others.length} more`
}

const plain = ({ final: _, ...failure }: Failure): PushStatus['failures'][number] => failure

/** Of several files only some were written. */
const isBetween = (texts: ConfigTexts, { before, after }: OpenPush): boolean =>
  (['servers', 'system', 'profiles'] as const).every(
    (name) => texts[name] === before[name] || texts[name] === after[name],
  )
