import { transportOf, type ServerConfig } from '../contract/index.ts'
import type { Clock } from '../clock.ts'
import {
  WITH_INPUT,
  capabilityProfile,
  type Call,
  type CancelCall,
  type ClientCapabilities,
  type LogLevel,
  type SessionClient,
} from '../gateway/call.ts'
import { McpError, Reply, rpc, toRpcError } from '../gateway/json-rpc.ts'
import { createCallQueue } from './call-queue.ts'
import type { Catalog } from './catalog.ts'
import type { ClientInstances } from './client-instances.ts'
import { driveInputRounds } from './input-rounds.ts'
import type { Instance } from './instance.ts'
import type { Lanes, Resident } from './lanes.ts'
import type { ServerLimits } from './limits.ts'
import { unavailableError } from './server-status.ts'
import type { Machine } from './state-machine.ts'
import type { ServedClient } from './subscriptions.ts'

/** The server, as its calls need it. */
export interface CallTarget {
  readonly name: string
  readonly clock: Clock
  readonly config: ServerConfig
  readonly limits: ServerLimits
  readonly machine: Machine
  /** How long it has been in its state. */
  readonly msInState: number
  /** The plain connection while it works. */
  readonly instance: Instance | null
  /** Whether it spoke the modern era when it was there last. */
  isModern: () => boolean
  readonly clients: ClientInstances
  /** All connections while it works. */
  instances: () => readonly Instance[]
  start: () => void
  /** Resolves when the backoff is over. */
  tried: (ms: number) => Promise<void>
  settled: (ms: number) => Promise<void>
}

export interface Calls {
  call: (call: Call) => CancelCall
  /** The connection of a client's capability profile. Rejects with McpError when the server does not run. */
  instanceFor: (principal: string, capabilities: ClientCapabilities, resident?: Resident) => Promise<Instance>
  /** A client announces other roots, to the connection that serves it if there is one. */
  rootsChanged: (client: ServedClient, session: SessionClient) => void
  /** A client wants log messages from this level on, of the connection that serves it if there is one; else its next call says so. */
  wantLogs: (client: ServedClient, level: LogLevel) => void
  /** The connection that carries a client's calls; null when the server does not run. Rejects with McpError. */
  connectionOf: (client: ServedClient) => Promise<Instance> | null
  /** What the server offers on that connection; null when there was none yet. */
  catalogFor: (principal: string, capabilities: ClientCapabilities) => Catalog | null
  /** The same, once it is known. Rejects with McpError when the server does not run. */
  offersTo: (principal: string, capabilities: ClientCapabilities, resident?: Resident) => Promise<Catalog>
  freshen: (principal: string, capabilities: ClientCapabilities) => void
  /** A call ended. */
  settled: () => void
  /** The server went away: calls that wait for their turn decide anew. */
  flush: () => void
}

/** How often a call may have a remote server tried that is down. */
const RETRY_BY_CALL_MS = 2_000
/** A call waits for the next try of a server that is so near; before a later one it fails at once. */
const NEAR_TRY_MS = 5_000

/** Brings each call to the connection that it belongs to, when that has room and the server is there. */
export function createCalls(target: CallTarget): Calls {
  const queue = createCallQueue({
    server: target.name,
    clock: target.clock,
    limits: () => target.limits,
    working: () => (target.instance?.connection.working ?? 0) + target.clients.working,
  })

  /** Calls that wait for the server to be there. */
  let awaiting = 0

  function available(): Instance {
    if (target.instance === null) throw unavailableError(target.name, target.machine)
    return target.instance
  }

  /** Starts what is asleep, and waits for what will be there soon; whatever else is down fails at once, with the cause. */
  async function ready(): Promise<void> {
    const { state, since, attempt, then, nextTryAt } = target.machine
    // Both were taken at once, when it came into this state.
    const isNear = nextTryAt !== null && nextTryAt - since - target.msInState <= NEAR_TRY_MS
    const isComing = state === 'starting' || (state === 'stopping' && then === 'starting') || isNear
    const isAsleep = state === 'idle' || (state === 'stopping' && then === 'idle')
    const isRemote = transportOf(target.config) !== 'stdio'
    const mayRetry = attempt <= 1 || (isRemote && target.msInState >= RETRY_BY_CALL_MS)
    if (isAsleep || (state === 'backoff' && mayRetry)) target.start()
    else if (!isComing) available()
    await arrival()
    available()
  }

  /** As many may wait for the server to be there as it would have under way and waiting for their turn. */
  async function arrival(): Promise<void> {
    const { maxConcurrentCalls, maxQueuedCalls, startTimeoutMs } = target.limits
    if (awaiting >= maxConcurrentCalls + maxQueuedCalls) {
      const text = `${awaiting} calls wait already for server ${target.name} to start (hub.maxConcurrentCalls, hub.maxQueuedCalls; limits.maxCallsPerServer, limits.maxQueuedCallsPerServer)`
      throw new McpError(rpc.limitExceeded, text)
    }
    awaiting++
    try {
      await target.tried(NEAR_TRY_MS)
      await target.settled(startTimeoutMs)
    } finally {
      awaiting--
    }
  }

  /**
   * The connections that declare what this client can be asked, or that keep its log messages apart from those of others;
   * null when the plain one serves it.
   */
  function lanesFor(plain: Instance, principal: string, capabilities: ClientCapabilities, logs: boolean): Lanes | null {
    const { hello, isShared } = plain.connection
    const profile = hello.era === 'modern' ? '' : capabilityProfile(capabilities)
    const isPlain = profile === '' && !(logs && isShared && hello.capabilities['logging'] !== undefined)
    return isPlain ? null : target.clients.of(principal, profile)
  }

  /** What a modern server is told with each request; one of the legacy era knows it of the connection. */
  const shapedBy = (plain: Instance, capabilities: ClientCapabilities): string =>
    plain.connection.hello.era === 'modern' ? capabilityProfile(capabilities) : ''

  /**
   * The connection where the task was begun that a request is about; null when none is known to have it. Servers that number
   * their tasks give one id in several processes: `others` when only those of other principals have it.
   */
  function holderFor(request: Call): Instance | 'others' | null {
    const taskId = request.params?.['taskId']
    const holders = target.instances().filter(({ openTasks }) => openTasks.knows(taskId))
    const isOf = (principal: string | null): Instance | undefined =>
      holders.find(({ openTasks }) => openTasks.whose(taskId) === principal)
    return isOf(request.principal) ?? isOf(null) ?? (holders.length > 0 ? 'others' : null)
  }

  /** On the plain connection, which may have gone while the call waited for its turn. */
  function callPlain(request: Call): CancelCall {
    return queue.admit(request, () => target.instance?.call(request) ?? begin(request))
  }

  /** Only where rounds can come, since they cost a copy: a server that is not there may come back as a modern one. */
  function call(request: Call): CancelCall {
    const { clientEra, method } = request
    const mayCome =
      clientEra === 'legacy' && WITH_INPUT.has(method) && target.instance?.connection.hello.era !== 'legacy'
    return mayCome ? driveInputRounds(request, { begin, isModern: target.isModern }) : begin(request)
  }

  function begin(request: Call): CancelCall {
    const { instance } = target
    const holder = request.method.startsWith('tasks/') ? holderFor(request) : null
    if (holder === 'others') {
      request.finish(
        Reply.error({ code: rpc.invalidParams, message: `Unknown task: ${String(request.params?.['taskId'])}` }),
      )
      return () => undefined
    }
    if (holder !== null) return queue.admit(request, () => holder.call(request))
    // The common case takes no turn of the event loop.
    const { principal, capabilities, wantsLogs, logLevel } = request
    if (instance !== null && lanesFor(instance, principal, capabilities, wantsLogs) === null) {
      if (wantsLogs && logLevel !== undefined) instance.wantLogs(logLevel)
      return callPlain(request)
    }
    request.moments?.waits()
    let cancelled = false
    let cancel: CancelCall | null = null
    const wait = async (): Promise<void> => {
      await ready()
      const taken = await lanesFor(available(), principal, capabilities, wantsLogs)?.take(request)
      if (cancelled) taken?.release()
      else if (taken === undefined) cancel = callPlain(request)
      else {
        if (wantsLogs && logLevel !== undefined) taken.instance.wantLogs(logLevel)
        const finish = (reply: Reply): void => {
          taken.release()
          request.finish(reply)
        }
        const laned = { ...request, finish }
        const stop = queue.admit(laned, () => taken.instance.call(laned))
        cancel = (why) => {
          taken.release()
          stop(why)
        }
      }
    }
    wait().catch((error: unknown) => {
      if (!cancelled) request.finish(Reply.error(toRpcError(error)))
    })
    return (why) => {
      cancelled = true
      cancel?.(why)
    }
  }

  return {
    call,
    rootsChanged: ({ owner, principal, capabilities, wantsLogs }, client) => {
      const plain = target.instance
      if (plain === null || capabilities['roots'] === undefined) return
      lanesFor(plain, principal, capabilities, wantsLogs)?.rootsChanged({ owner, client })
    },
    wantLogs: ({ owner, principal, capabilities }, level) => {
      const plain = target.instance
      if (plain === null) return
      const lanes = lanesFor(plain, principal, capabilities, true)
      if (lanes === null) plain.wantLogs(level)
      else
        lanes.homeOf(owner)?.then(
          (instance) => instance.wantLogs(level),
          () => undefined,
        )
    },
    instanceFor: async (principal, capabilities, resident) => {
      const plain = available()
      return (await lanesFor(plain, principal, capabilities, false)?.any(resident)) ?? plain
    },
    connectionOf: ({ owner, principal, capabilities, wantsLogs }) => {
      const plain = target.instance
      if (plain === null) return null
      return lanesFor(plain, principal, capabilities, wantsLogs)?.home(owner) ?? Promise.resolve(plain)
    },
    catalogFor: (principal, capabilities) => {
      const plain = target.instance
      if (plain === null) return null
      const lanes = lanesFor(plain, principal, capabilities, false)
      if (lanes !== null) return lanes.catalog
      const profile = shapedBy(plain, capabilities)
      return profile === '' ? plain.catalog : plain.profiles.now(profile)
    },
    offersTo: async (principal, capabilities, resident) => {
      const plain = available()
      const lanes = lanesFor(plain, principal, capabilities, false)
      if (lanes !== null) return (await lanes.any(resident)).catalog
      const profile = shapedBy(plain, capabilities)
      return profile === '' ? plain.catalog : plain.profiles.of(profile)
    },
    freshen: (principal, capabilities) => {
      const plain = target.instance
      if (plain === null) return
      plain.freshen()
      const lanes = lanesFor(plain, principal, capabilities, false)
      if (lanes !== null) for (const instance of lanes.instances) instance.freshen()
    },
    settled: queue.settled,
    flush: queue.flush,
  }
}
