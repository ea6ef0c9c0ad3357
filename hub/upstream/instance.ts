import type { Clock } from '../clock.ts'
import { isLogged, type Call, type CancelCall, type LogLevel } from '../gateway/call.ts'
import { META, McpError, isObject, rpc, type Params } from '../gateway/json-rpc.ts'
import { capabilityOf, emptyCatalog, listKinds, readCatalog, type Catalog, type ListKind } from './catalog.ts'
import { UpstreamFailure } from './channel.ts'
import { createConnection, type Connection, type ConnectionOptions } from './connection.ts'
import { createOpenTasks, HEARS_OF_TASKS, type OpenTasks } from './open-tasks.ts'
import { createProfileCatalogs, type ProfileCatalogs } from './profile-catalogs.ts'
import { diagnosisOf } from './process/exit-reason.ts'
import type { Reason } from '../contract/index.ts'
import { say, told } from '../say.ts'

export interface InstanceOptions extends Omit<
  ConnectionOptions,
  'onNotification' | 'onClose' | 'onSignedOut' | 'onRenewed' | 'onGap'
> {
  onCatalog: (kinds: readonly ListKind[]) => void
  /** The same catalog as that of another connection to the server, if that offers the same. */
  shared: (read: Catalog) => Catalog
  onResourceUpdated: (params: Params) => void
  /** Any other notification that belongs to no call. */
  onNotification: (method: string, params: Params | undefined) => void
  /** It is over; with the code `needs-auth` only for what is new: calls that are under way may finish. */
  onLost: (reason: Reason) => void
  clock: Clock
}

/** A connection with what it offers kept up to date, and the resource subscriptions that it carries. */
export interface Instance {
  readonly connection: Connection
  readonly catalog: Catalog
  /** What a modern server offers beyond that to clients which declare something. */
  readonly profiles: Pick<ProfileCatalogs, 'all' | 'now' | 'of'>
  readonly startedAt: number
  /** By `Clock.steady`. */
  readonly lastUsed: number
  /** Whether a client waits for something. */
  readonly busy: boolean
  /** Whether somebody wants to hear of resources on it. */
  readonly isSubscribed: boolean
  /** What the server works on without a call in flight. */
  readonly openTasks: Pick<OpenTasks, 'size' | 'knows' | 'whose' | 'check'>
  start: () => Promise<void>
  call: (call: Call) => CancelCall
  /** Reads anew, beside what goes on, the lists that the server does not tell changes of and that were read long ago. */
  freshen: () => void
  /** A client wants log messages from this level on; the server is told when it is lower than what it was told before. */
  wantLogs: (level: LogLevel) => void
  /** Somebody wants `notifications/resources/updated` for a URI. Rejects with McpError when the server refuses. */
  subscribe: (uri: string) => Promise<void>
  unsubscribe: (uri: string) => void
  /** The tasks that somebody wants `notifications/tasks` for. */
  setTasks: (taskIds: ReadonlySet<string>) => void
  close: (atOnce?: boolean) => Promise<void>
}

const REFRESH_DELAY_MS = 50
/** A list of a server that neither tells of changes nor how long its list is good for. */
const UNTOLD_TTL_MS = 60_000
/** However short a server says that its list is good for. */
const MIN_TTL_MS = 5_000
/** Clients ask more often than it is worth a look how old the lists are. */
const FRESHNESS_LOOK_MS = 1_000
const changedKinds: Record<string, readonly ListKind[]> = {
  'notifications/tools/list_changed': ['tools'],
  'notifications/prompts/list_changed': ['prompts'],
  'notifications/resources/list_changed': ['resources', 'resourceTemplates'],
}
/** A server that does not acknowledge keeps nobody waiting for longer. */
const ACKNOWLEDGED_MS = 2_000
const LISTEN_RETRY_MS = 1_000
const MAX_LISTEN_RETRY_MS = 30_000
/** A subscription that lived this long was well; its next try need not wait. */
const HEALTHY_LISTEN_MS = 5_000

export function createInstance(options: InstanceOptions): Instance {
  let catalog: Catalog = emptyCatalog
  let reading: Promise<unknown> = Promise.resolve()
  /** When each list was asked for last. */
  const readAt: Record<ListKind, number> = { tools: 0, prompts: 0, resources: 0, resourceTemplates: 0 }
  /** Until then no list is too old. */
  let freshUntil = 0
  const { clock } = options
  const startedAt = clock.now()
  let lastUsed = clock.steady()
  let isStarted = false
  let closed = false
  /** The level that the server was told. */
  let logLevel: LogLevel | null = null
  const stale = new Set<ListKind>()
  let refreshTimer: NodeJS.Timeout | null = null
  const subscribed = new Set<string>()
  /** Who waits for the next subscription to be there, which is about to be made. */
  let awaitsListen: (() => void)[] | null = null
  let tasks: ReadonlySet<string> = new Set()
  /** Those of them that the server has agreed to tell of. */
  let heard: ReadonlySet<string> = new Set()
  let stopListen: CancelCall | null = null
  /** Subscriptions that the newest stands in for, as soon as it is there. */
  const replaced: CancelCall[] = []
  /** The number of the subscription that counts. */
  let listens = 0

  const connection = createConnection({
    ...options,
    onNotification,
    onClose: lost,
    onSignedOut: lost,
    onRenewed: () => {
      const level = logLevel
      logLevel = null
      if (level !== null) wantLogs(level)
      for (const uri of subscribed) connection.request('resources/subscribe', { uri }).catch(() => undefined)
      missed()
    },
    onGap: missed,
  })

  const warn = (text: string): void => options.onLog('hub', 'warn', text)
  const profiles = createProfileCatalogs({
    connection,
    plain: () => catalog,
    warn,
    onFound: () => options.onCatalog(listKinds),
  })

  const openTasks = createOpenTasks({ connection, now: clock.steady, onOver: () => (lastUsed = clock.steady()) })

  function lost(reason: Reason): void {
    if (!closed) options.onLost(reason)
  }

  /** Whatever may have changed unheard is taken to have changed. */
  function missed(): void {
    refresh(listKinds)
    for (const uri of subscribed) options.onResourceUpdated({ uri })
  }

  function onNotification(method: string, params: Params | undefined): void {
    const kinds = changedKinds[method]
    if (kinds !== undefined) refresh(kinds)
    else if (method === 'notifications/resources/updated') options.onResourceUpdated(params ?? {})
    else {
      if (method.startsWith('notifications/tasks')) openTasks.told(params)
      options.onNotification(method, params)
    }
  }

  /** Servers announce a change per item; one reading serves them all. */
  function refresh(kinds: readonly ListKind[]): void {
    for (const kind of kinds) stale.add(kind)
    refreshTimer ??= setTimeout(() => {
      refreshTimer = null
      const due = [...stale]
      stale.clear()
      if (!closed) void read(due)
    }, REFRESH_DELAY_MS)
  }

  /**
   * One reading after the other, each on what the one before it found: else the slower would undo the faster. Resolves with
   * the lists that are others than before; null when nothing is.
   */
  function readLists(kinds: readonly ListKind[]): Promise<ListKind[] | null> {
    for (const kind of kinds) readAt[kind] = clock.steady()
    const done = reading.then(async () => {
      const before = catalog
      const read = await readCatalog(connection, kinds, before, warn)
      if (read !== before) catalog = options.shared(read)
      if (await profiles.refresh(kinds)) return [...kinds]
      return catalog === before ? null : kinds.filter((kind) => catalog.lists[kind] !== before.lists[kind])
    })
    reading = done.catch(() => undefined)
    return done
  }

  /** How long a list is taken for what the server has. */
  function ttlOf(kind: ListKind): number {
    const { era, capabilities } = connection.hello
    const declared = capabilities[capabilityOf[kind]] as Params | undefined
    if (declared === undefined || declared['listChanged'] === true) return Infinity
    return era === 'legacy' ? UNTOLD_TTL_MS : Math.max(catalog.freshness[kind]?.ttlMs ?? 0, MIN_TTL_MS)
  }

  function freshen(): void {
    if (!isStarted || closed) return
    const now = clock.steady()
    if (now < freshUntil) return
    freshUntil = now + FRESHNESS_LOOK_MS
    const due = listKinds.filter((kind) => now - readAt[kind] > ttlOf(kind))
    if (due.length > 0) void read(due)
  }

  async function read(kinds: readonly ListKind[]): Promise<void> {
    try {
      const changed = await readLists(kinds)
      if (changed !== null) options.onCatalog(changed)
    } catch (error) {
      // What was offered before stays offered: a list never silently empties.
      options.onLog(
        'hub',
        'error',
        `Reading ${kinds.join(', ')} failed: ${error instanceof Error ? error.message : String(error)}`,
      )
    }
  }

  /** One subscription for all that is wanted. A new one replaces it once it is acknowledged, so that nothing falls between. */
  function listen(attempt = 0, isAgain = false): void {
    if (stopListen !== null) replaced.push(stopListen)
    stopListen = null
    const waiting = awaitsListen ?? []
    awaitsListen = null
    const settled = (): void => {
      for (const resolve of waiting.splice(0)) resolve()
    }
    const { capabilities } = connection.hello
    const has = (name: string): boolean => (capabilities[name] as Params | undefined)?.['listChanged'] === true
    const filter = {
      ...(has('tools') ? { toolsListChanged: true } : {}),
      ...(has('prompts') ? { promptsListChanged: true } : {}),
      ...(has('resources') ? { resourcesListChanged: true } : {}),
      ...(subscribed.size > 0 ? { resourceSubscriptions: [...subscribed] } : {}),
      ...(tasks.size > 0 ? { taskIds: [...tasks] } : {}),
    }
    const wanted = tasks
    if (closed || Object.keys(filter).length === 0) {
      stopReplaced()
      settled()
      return
    }
    const startedAt = performance.now()
    const mine = ++listens
    const standIn = (): void => {
      if (mine === listens) stopReplaced()
    }
    setTimeout(standIn, ACKNOWLEDGED_MS).unref()
    const stop = connection.call({
      method: 'subscriptions/listen',
      params: { notifications: filter },
      clientEra: 'modern',
      owner: 'hub',
      principal: 'hub',
      capabilities: tasks.size > 0 ? HEARS_OF_TASKS : {},
      clientInfo: options.clientInfo,
      progressToken: undefined,
      logLevel: undefined,
      wantsLogs: false,
      paramHeaders: undefined,
      notify: (method, params) => {
        if (method !== 'notifications/subscriptions/acknowledged') onNotification(method, params)
        else {
          standIn()
          settled()
          const before: ReadonlySet<string> = isAgain ? new Set() : heard
          heard = wanted
          for (const taskId of wanted) if (!before.has(taskId)) void tellTask(taskId)
          if (isAgain) missed()
        }
      },
      ask: () => Promise.reject(new McpError(rpc.noOwner, 'A subscription has nobody to ask')),
      finish: (reply) => {
        standIn()
        settled()
        if (closed || mine !== listens) return
        listens++
        stopListen = null
        if (reply.isError && reply.message.error?.code === rpc.methodNotFound) return
        const next = performance.now() - startedAt > HEALTHY_LISTEN_MS ? 0 : attempt + 1
        const delay = Math.min(LISTEN_RETRY_MS * 2 ** Math.max(0, next - 1), MAX_LISTEN_RETRY_MS)
        setTimeout(() => {
          if (stopListen === null) listen(next, true)
        }, delay).unref()
      },
    })
    // It can have ended before it was begun: what cannot be sent fails at once.
    if (mine === listens) stopListen = stop
  }

  function stopReplaced(): void {
    for (const stop of replaced.splice(0)) stop('subscriptions changed')
  }

  /** How a task stands: what became of it before it was listened to was not heard. */
  async function tellTask(taskId: string): Promise<void> {
    try {
      const task = await connection.request('tasks/get', { taskId, _meta: { [META.capabilities]: HEARS_OF_TASKS } })
      if (!isObject(task) || closed) return
      const { resultType: _type, _meta: _dropped, ...params } = task
      options.onNotification('notifications/tasks', params)
    } catch {
      // Whoever asks for it is told why.
    }
  }

  function setTasks(taskIds: ReadonlySet<string>): void {
    const before = tasks
    tasks = new Set(taskIds)
    if (closed || !isStarted || connection.hello.era !== 'modern') return
    if (before.size !== taskIds.size || [...taskIds].some((id) => !before.has(id))) listen()
  }

  /** What is asked for together is asked of the server once. Resolves once it has acknowledged. */
  function listenAnew(): Promise<void> {
    return new Promise((resolve) => {
      if (awaitsListen === null) queueMicrotask(() => listen())
      awaitsListen = [...(awaitsListen ?? []), resolve]
      setTimeout(resolve, ACKNOWLEDGED_MS).unref()
    })
  }

  async function subscribe(uri: string): Promise<void> {
    subscribed.add(uri)
    if (connection.hello.era === 'modern') await listenAnew()
    else {
      try {
        await connection.request('resources/subscribe', { uri })
      } catch (error) {
        subscribed.delete(uri)
        throw error
      }
    }
  }

  function unsubscribe(uri: string): void {
    if (!subscribed.delete(uri) || closed) return
    if (connection.hello.era === 'modern') void listenAnew()
    else connection.request('resources/unsubscribe', { uri }).catch(() => undefined)
  }

  function wantLogs(level: LogLevel): void {
    const { era, capabilities } = connection.hello
    if (era !== 'legacy' || capabilities['logging'] === undefined) return
    if (logLevel !== null && isLogged(level, logLevel)) return
    logLevel = level
    connection.request('logging/setLevel', { level }).catch(() => undefined)
  }

  return {
    connection,
    wantLogs,
    get catalog() {
      return catalog
    },
    profiles,
    startedAt,
    get lastUsed() {
      return lastUsed
    },
    get busy() {
      return connection.busy
    },
    get isSubscribed() {
      return subscribed.size > 0
    },
    start: async () => {
      await connection.start()
      try {
        await readLists(listKinds)
      } catch (error) {
        const words = error instanceof Error ? error.message : String(error)
        const found = await diagnosisOf([words])
        throw new UpstreamFailure(
          told({
            code: 'protocol-error',
            message: say`The server started, but did not list what it offers: ${found === null ? words : say`${found.cause} (${words})`}`,
            cure: found?.cure ?? say`Read its log; update the server if the fault is its own.`,
          }),
        )
      }
      isStarted = true
      if (connection.hello.era === 'modern') listen()
    },
    call: (call) => {
      lastUsed = clock.steady()
      return connection.call(openTasks.watched(call))
    },
    openTasks,
    freshen,
    subscribe,
    unsubscribe,
    setTasks,
    close: async (atOnce = false) => {
      closed = true
      if (refreshTimer !== null) clearTimeout(refreshTimer)
      await connection.close(atOnce)
    },
  }
}
