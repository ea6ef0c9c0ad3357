import { listKinds, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { Edge, GatewayContext, HttpRequest } from './context.ts'
import { META, McpError, isObject, rpc, type JsonRpcId, type Params } from './json-rpc.ts'
import type { Outlet } from './outlet.ts'
import { ListWatch } from './list-watch.ts'
import { ownerOf } from './modern-envelope.ts'
import { ResourceSubscriptions, checkUri } from './resource-subscriptions.ts'
import { declaresTasks, exposedTaskId, missingTasks, type TaskPlace } from './tasks.ts'
import { Shares, subscriptionShares } from './shares.ts'
import type { View, Viewer } from './view.ts'

interface Listen {
  id: JsonRpcId
  view: View
  /** The lists whose changes it wants to hear of. */
  kinds: readonly ListKind[]
  lists: ListWatch
  outlet: Outlet
  tasks: readonly TaskPlace[]
  /** What is to be told once the subscription is acknowledged, which must come first; null when it is. */
  early: (() => void)[] | null
}

/** A server that has not answered to a subscription by then is taken for one that will. */
const ACKNOWLEDGED_MS = 2_000

/** What a filter calls the lists; templates go with resources. */
const filterOf: Record<ListKind, string> = {
  tools: 'toolsListChanged',
  prompts: 'promptsListChanged',
  resources: 'resourcesListChanged',
  resourceTemplates: 'resourcesListChanged',
}

/** The subscriptions of modern clients: one POST that stays open for each (2026-07-28, "Subscriptions"). */
export interface Listens extends Edge {
  /** Acknowledges the subscription and keeps its response; throws McpError when it cannot be granted. */
  open: (http: HttpRequest, id: JsonRpcId, params: Params, viewer: Viewer, outlet: Outlet) => void
  /** A task of a server changed; the params are those of `notifications/tasks`. */
  taskChanged: (upstream: Upstream, params: Params) => void
  /** The tasks that clients want to hear of, by server. */
  wantedTasks: () => Map<Upstream, Set<string>>
  readonly size: number
  closeAll: () => void
}

export function createListens(context: GatewayContext): Listens {
  const entries = new Set<Listen>()
  const shares = new Shares(
    () => context.limits.maxListensPerPrincipal,
    (taken) => `This key already has ${taken} subscriptions open (limits.maxListensPerPrincipal)`,
  )

  function open({ view, response }: HttpRequest, id: JsonRpcId, params: Params, viewer: Viewer, outlet: Outlet): void {
    if (entries.size >= context.limits.maxListens)
      throw new McpError(
        rpc.limitExceeded,
        `More than ${context.limits.maxListens} subscriptions are open (limits.maxListens)`,
      )
    if (!isObject(params['notifications']))
      throw new McpError(rpc.invalidParams, 'params.notifications must be an object')
    const wanted = params['notifications']
    const uris = Array.isArray(wanted['resourceSubscriptions'])
      ? wanted['resourceSubscriptions'].filter((uri): uri is string => typeof uri === 'string')
      : []
    const kinds = listKinds.filter((kind) => wanted[filterOf[kind]] === true)
    const taskIds = taskIdsOf(wanted, viewer)
    const tasks = taskIds.flatMap((taskId) => context.tasks.find(view, taskId, viewer.principal) ?? [])
    const meta = isObject(params['_meta']) ? params['_meta'] : {}
    const lists = new ListWatch(view, viewer)
    const { principal } = viewer
    // Refused as a whole: what an acknowledgement leaves out is what a server refused.
    for (const uri of uris) checkUri(uri, context.limits)
    subscriptionShares(context).check(principal, new Set(uris).size)
    const giveBack = shares.take(principal)
    const entry: Listen = { id, view, kinds, lists, outlet, tasks, early: [] }
    const resources = new ResourceSubscriptions({
      view,
      take: () => subscriptionShares(context).take(principal),
      client: () => ({ viewer, owner: ownerOf(viewer, meta), wantsLogs: meta[META.logLevel] !== undefined }),
      tell: (updated) => tell(entry, 'notifications/resources/updated', updated),
    })
    entries.add(entry)
    lists.begin(kinds)
    response.once('close', () => {
      entries.delete(entry)
      giveBack()
      resources.close()
      if (tasks.length > 0) context.tasksChanged()
    })
    const granted = {
      ...Object.fromEntries(kinds.map((kind) => [filterOf[kind], true])),
      ...(taskIds.length > 0
        ? { taskIds: tasks.map(({ upstream, taskId }) => exposedTaskId(view, upstream, taskId)) }
        : {}),
    }
    if (tasks.length > 0) context.tasksChanged()
    if (uris.length === 0) acknowledge(entry, granted)
    else {
      const refused = new Set<string>()
      const taken = Promise.all(uris.map((uri) => resources.add(uri).catch(() => refused.add(uri))))
      let timer: NodeJS.Timeout | undefined
      const late = new Promise((resolve) => (timer = setTimeout(resolve, ACKNOWLEDGED_MS)))
      void Promise.race([taken, late]).then(() => {
        clearTimeout(timer)
        const resourceSubscriptions = uris.filter((uri) => !refused.has(uri))
        acknowledge(entry, resourceSubscriptions.length === 0 ? granted : { ...granted, resourceSubscriptions })
      })
    }
  }

  function acknowledge(entry: Listen, granted: Params): void {
    const early = entry.early ?? []
    entry.early = null
    tell(entry, 'notifications/subscriptions/acknowledged', { notifications: granted })
    for (const tellNow of early) tellNow()
  }

  function tell(entry: Listen, method: string, params: Params): void {
    if (entry.early !== null) {
      entry.early.push(() => tell(entry, method, params))
      return
    }
    const meta = isObject(params['_meta']) ? params['_meta'] : {}
    entry.outlet.send(
      JSON.stringify({
        jsonrpc: '2.0',
        method,
        params: { ...params, _meta: { ...meta, [META.subscriptionId]: entry.id } },
      }),
    )
  }

  function tellChanges(entry: Listen, changed: readonly ListKind[]): void {
    const due = entry.lists.changes(entry.kinds.filter((kind) => changed.includes(kind)))
    for (const method of due) tell(entry, method, {})
  }

  return {
    open,
    get size() {
      return entries.size
    },
    closeAll: () => {
      for (const { id, outlet, view } of entries) {
        const result = { resultType: 'complete', _meta: { [META.serverInfo]: view.serverInfo } }
        outlet.send(JSON.stringify({ jsonrpc: '2.0', id, result }))
        outlet.retire()
      }
      entries.clear()
    },
    catalogChanged: (upstream, kinds) => {
      for (const entry of entries) if (entry.view.includes(upstream)) tellChanges(entry, kinds)
    },
    listsChanged: () => {
      for (const entry of entries) tellChanges(entry, listKinds)
    },
    taskChanged: (upstream, params) => {
      for (const entry of entries)
        if (entry.tasks.some((task) => task.upstream === upstream && task.taskId === params['taskId'])) {
          const taskId = exposedTaskId(entry.view, upstream, String(params['taskId']))
          tell(entry, 'notifications/tasks', { ...params, taskId })
        }
    },
    wantedTasks: () => {
      const wanted = new Map<Upstream, Set<string>>()
      for (const { tasks } of entries)
        for (const { upstream, taskId } of tasks)
          wanted.set(upstream, (wanted.get(upstream) ?? new Set<string>()).add(taskId))
      return wanted
    },
  }
}

function taskIdsOf(wanted: Params, viewer: Viewer): string[] {
  const ids = wanted['taskIds']
  if (!Array.isArray(ids) || ids.length === 0) return []
  if (!declaresTasks(viewer.capabilities)) throw missingTasks
  return ids.filter((id): id is string => typeof id === 'string')
}
