import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import type { HistoryPage, RequestRecord } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import { useLiveEvents } from '../../lib/live.ts'
import { keys, type Query } from '../../lib/queries.ts'
import { toApiQuery, type ActivityFilter } from './activity-filter.ts'

const PAGE = 100

export interface Requests {
  readonly query: Query<HistoryPage>
  /** What is loaded, newest first. */
  readonly rows: ComputedRef<readonly RequestRecord[]>
  /** How many newer ones are held back while the list stands still. */
  readonly held: ComputedRef<number>
  readonly more: ComputedRef<boolean>
  readonly loadingOlder: Ref<boolean>
  readonly failure: ShallowRef<unknown>
  loadOlder: () => Promise<void>
  showHeld: () => void
}

/**
 * The requests that a filter lets through: a page at a time towards the past, and new ones as they come. While `still` is
 * true, new ones are held back, so that rows do not move under the eyes of who reads them.
 */
export function useRequests(filter: () => ActivityFilter, still: () => boolean): Requests {
  const ask = (cursor?: string, signal?: AbortSignal): Promise<HistoryPage> =>
    api.requests({ ...toApiQuery(filter(), Date.now()), limit: String(PAGE), ...(cursor && { cursor }) }, signal)
  const query = useQuery({
    queryKey: computed(() => keys.requests(filter())),
    queryFn: ({ signal }) => ask(undefined, signal),
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0,
  })

  const older = shallowRef<readonly RequestRecord[]>([])
  const newer = shallowRef<readonly RequestRecord[]>([])
  const held = shallowRef<readonly RequestRecord[]>([])
  const next = ref<string | null>(null)
  const failure = shallowRef<unknown>(null)
  const loadingOlder = ref(false)
  watch(
    query.data,
    (page) => {
      older.value = []
      newer.value = []
      held.value = []
      failure.value = null
      next.value = page?.next ?? null
    },
    { immediate: true },
  )

  /** Answers that come after the filter was changed are of no use. */
  async function forThisFilter(cursor: string | undefined, use: (page: HistoryPage) => void): Promise<void> {
    const first = query.data.value
    try {
      const page = await ask(cursor)
      if (query.data.value === first) use(page)
    } catch (error) {
      if (query.data.value === first) failure.value = error
    }
  }

  async function loadOlder(): Promise<void> {
    if (loadingOlder.value || next.value === null) return
    loadingOlder.value = true
    failure.value = null
    await forThisFilter(next.value, ({ items, next: cursor }) => {
      older.value = [...older.value, ...items]
      next.value = cursor
    })
    loadingOlder.value = false
  }

  let asking = false
  let askAgain = false
  async function loadNewer(): Promise<void> {
    if (query.data.value === undefined) return
    if (asking) {
      askAgain = true
      return
    }
    asking = true
    await forThisFilter(undefined, ({ items }) => {
      const known = held.value[0] ?? newer.value[0] ?? query.data.value?.items[0]
      const fresh = known === undefined ? items : items.filter(({ id }) => id > known.id)
      // More came than a page holds: what lies between would be missing, so the list begins anew.
      if (known !== undefined && fresh.length === PAGE && !still()) void query.refetch()
      else held.value = [...fresh, ...held.value].slice(0, PAGE)
      if (!still()) showHeld()
    })
    asking = false
    if (!askAgain) return
    askAgain = false
    await loadNewer()
  }

  function showHeld(): void {
    if (held.value.length === 0) return
    // As many as are held back at most: there may be more of them.
    if (held.value.length === PAGE) void query.refetch()
    else newer.value = [...held.value, ...newer.value]
    held.value = []
  }

  useLiveEvents((event) => {
    if (event.type === 'history.appended') void loadNewer()
  })

  return {
    query,
    rows: computed(() => [...newer.value, ...(query.data.value?.items ?? []), ...older.value]),
    held: computed(() => held.value.length),
    more: computed(() => next.value !== null),
    loadingOlder,
    failure,
    loadOlder,
    showHeld,
  }
}
