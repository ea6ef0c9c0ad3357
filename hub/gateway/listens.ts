import { listKinds, type ListKind } from '../upstream/catalog.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { addWanted, changeMethod, type Edge, type GatewayContext, type HttpRequest } from './context.ts'
import { META, McpError, isObject, rpc, type JsonRpcId, type Params } from './json-rpc.ts'
import type { Outlet } from './outlet.ts'
import type { View } from './view.ts'

interface Listen {
  id: JsonRpcId
  view: View
  filter: { tools: boolean; prompts: boolean; resources: boolean; uris: Set<string> }
  outlet: Outlet
}

/** The subscriptions of modern clients: one POST that stays open for each (2026-07-28, "Subscriptions"). */
export interface Listens extends Edge {
  /** Acknowledges the subscription and keeps its response; throws McpError when it cannot be granted. */
  open: (http: HttpRequest, id: JsonRpcId, params: Params, outlet: Outlet) => void
  readonly size: number
  closeAll: () => void
}

export function createListens(context: GatewayContext): Listens {
  const entries = new Set<Listen>()

  function open({ view, response }: HttpRequest, id: JsonRpcId, params: Params, outlet: Outlet): void {
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
    const filter = {
      tools: wanted['toolsListChanged'] === true,
      prompts: wanted['promptsListChanged'] === true,
      resources: wanted['resourcesListChanged'] === true,
      uris: new Set(uris),
    }
    const entry: Listen = { id, view, filter, outlet }
    entries.add(entry)
    response.once('close', () => {
      entries.delete(entry)
      if (uris.length > 0) context.subscriptionsChanged()
    })
    const granted = {
      ...(filter.tools ? { toolsListChanged: true } : {}),
      ...(filter.prompts ? { promptsListChanged: true } : {}),
      ...(filter.resources ? { resourcesListChanged: true } : {}),
      ...(uris.length > 0 ? { resourceSubscriptions: uris } : {}),
    }
    tell(entry, 'notifications/subscriptions/acknowledged', { notifications: granted })
    if (uris.length > 0) context.subscriptionsChanged()
  }

  function tell(entry: Listen, method: string, params: Params): void {
    const meta = isObject(params['_meta']) ? params['_meta'] : {}
    entry.outlet.send(
      JSON.stringify({
        jsonrpc: '2.0',
        method,
        params: { ...params, _meta: { ...meta, [META.subscriptionId]: entry.id } },
      }),
    )
  }

  function tellChanges(entry: Listen, kinds: readonly ListKind[]): void {
    for (const kind of kinds) {
      const method = changeMethod[kind]
      if (method !== undefined && entry.filter[kind as 'tools' | 'prompts' | 'resources']) tell(entry, method, {})
    }
  }

  return {
    open,
    get size() {
      return entries.size
    },
    closeAll: () => {
      for (const { id, outlet, view } of entries) {
        const result = { resultType: 'complete', _meta: { [META.serverInfo]: view.serverInfo } }
        outlet.finish([Buffer.from(JSON.stringify({ jsonrpc: '2.0', id, result }))])
      }
      entries.clear()
    },
    catalogChanged: (upstream, kinds) => {
      for (const entry of entries) if (entry.view.includes(upstream)) tellChanges(entry, kinds)
    },
    listsChanged: (view) => {
      for (const entry of entries) if (entry.view === view) tellChanges(entry, listKinds)
    },
    resourceUpdated: (upstream, params) => {
      for (const entry of entries)
        if (entry.view.includes(upstream) && entry.filter.uris.has(String(params['uri'])))
          tell(entry, 'notifications/resources/updated', params)
    },
    wantedResources: () => {
      const wanted = new Map<Upstream, Set<string>>()
      for (const entry of entries)
        for (const uri of entry.filter.uris)
          for (const upstream of entry.view.upstreams) addWanted(wanted, upstream, uri)
      return wanted
    },
  }
}
