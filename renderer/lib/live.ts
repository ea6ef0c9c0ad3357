import type { QueryClient } from '@tanstack/vue-query'
import { inject, onScopeDispose, shallowRef, type InjectionKey, type ShallowRef } from 'vue'
import type { HubEvent, HubStatus, ServerDetail, ServerStatus } from '../../hub/contract/index.ts'
import { endSession } from './ended-session.ts'
import { createEventStream, type StreamState } from './event-stream.ts'
import { keys } from './queries.ts'

type Listener = (event: HubEvent) => void

export interface Live {
  readonly state: ShallowRef<StreamState>
  /** Events that no query holds: log lines and the progress of calls. */
  on: (listener: Listener) => () => void
  watchLogs: (server: string | null) => void
  watchUsage: (on: boolean) => void
  retry: () => void
  dispose: () => void
}

/** One repaint for a burst: a hub that starts 1,000 servers sends as many events in a second. */
const BATCH_MS = 60
const CATALOG_MS = 400
/** What changes a server or a profile may have made a new version of the configuration. */
const VERSIONS_MS = 1_000

/** Keeps what the queries hold true to what the hub says, for as long as a person is signed in. */
export function createLive(client: QueryClient): Live {
  const state = shallowRef<StreamState>('connecting')
  const listeners = new Set<Listener>()
  let hub: HubStatus | null = null
  const changed = new Map<string, ServerStatus | null>()
  let flushTimer: ReturnType<typeof setTimeout> | undefined
  let catalogTimer: ReturnType<typeof setTimeout> | undefined
  let versionsTimer: ReturnType<typeof setTimeout> | undefined

  function flush(): void {
    // An answer on its way may be older than the events, and would replace what they say.
    const awaited = [keys.hub, keys.servers].some((key) => client.getQueryState(key)?.fetchStatus === 'fetching')
    flushTimer = awaited ? setTimeout(flush, BATCH_MS) : undefined
    if (awaited) return
    if (hub !== null) client.setQueryData(keys.hub, hub)
    hub = null
    const batch = new Map(changed)
    changed.clear()
    client.setQueryData<ServerStatus[]>(keys.servers, (list) => list && mergeServers(list, batch))
    for (const [name, status] of batch) {
      if (status === null) {
        // A page that shows it asks again and is told that it is gone; one that was removed would hear of nothing any more.
        client.removeQueries({ queryKey: keys.server(name), type: 'inactive' })
        void client.invalidateQueries({ queryKey: keys.server(name) })
        continue
      }
      client.setQueryData<ServerDetail>(keys.server(name), (detail) => detail && { ...detail, ...status })
      void client.invalidateQueries({ queryKey: keys.server(name) })
    }
  }

  function note(name: string, status: ServerStatus | null): void {
    changed.set(name, status)
    noteVersions()
    flushSoon()
  }

  function flushSoon(): void {
    flushTimer ??= setTimeout(flush, BATCH_MS)
  }

  function noteVersions(): void {
    versionsTimer ??= setTimeout(() => {
      versionsTimer = undefined
      void client.invalidateQueries({ queryKey: keys.versions })
    }, VERSIONS_MS)
  }

  function onEvent(event: HubEvent): void {
    switch (event.type) {
      case 'hub.changed':
        hub = event.hub
        flushSoon()
        break
      case 'server.changed':
        note(event.server.name, event.server)
        break
      case 'server.usage':
        for (const { name, ...measured } of event.servers)
          client.setQueryData<ServerDetail>(keys.server(name), (detail) => detail && { ...detail, ...measured })
        break
      case 'server.removed':
        note(event.name, null)
        break
      case 'catalog.changed':
        catalogTimer ??= setTimeout(() => {
          catalogTimer = undefined
          for (const queryKey of [
            keys.tools,
            keys.prompts,
            keys.resources,
            keys.profiles,
            ['profile-preview'],
            ['pin'],
          ])
            void client.invalidateQueries({ queryKey })
        }, CATALOG_MS)
        break
      case 'account.changed':
        void client.invalidateQueries({ queryKey: keys.accounts })
        break
      case 'profiles.changed':
        void client.invalidateQueries({ queryKey: keys.profiles })
        noteVersions()
        break
      case 'resync':
        void client.invalidateQueries()
        break
      default:
        for (const listener of listeners) listener(event)
    }
  }

  const stream = createEventStream({
    onEvent,
    onGap: () => void client.invalidateQueries(),
    onState(next) {
      state.value = next
      if (next === 'signed-out') endSession(client)
    },
  })

  return {
    state,
    on(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    watchLogs: stream.watchLogs,
    watchUsage: stream.watchUsage,
    retry: stream.retry,
    dispose() {
      stream.dispose()
      clearTimeout(flushTimer)
      clearTimeout(catalogTimer)
      clearTimeout(versionsTimer)
    },
  }
}

export function mergeServers(
  list: readonly ServerStatus[],
  batch: ReadonlyMap<string, ServerStatus | null>,
): ServerStatus[] {
  const rest = new Map(batch)
  const merged: ServerStatus[] = []
  for (const server of list) {
    const change = rest.get(server.name)
    rest.delete(server.name)
    if (change === undefined) merged.push(server)
    else if (change !== null) merged.push(change)
  }
  for (const added of rest.values()) if (added !== null) merged.push(added)
  return merged
}

export const liveKey: InjectionKey<Live> = Symbol('live')

export function useLive(): Live {
  const live = inject(liveKey)
  if (live === undefined) throw new Error('useLive() outside the signed-in shell')
  return live
}

/** Listens for as long as the component lives. */
export function useLiveEvents(listener: Listener): void {
  onScopeDispose(useLive().on(listener))
}

/** Has what the servers consume measured for as long as the component lives. */
export function useUsage(): void {
  const live = useLive()
  live.watchUsage(true)
  onScopeDispose(() => live.watchUsage(false))
}
