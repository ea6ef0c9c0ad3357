import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, ref, shallowRef, watch, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import type { Query } from './queries.ts'

interface Page<T> {
  readonly items: T[]
  /** Cursor of the page before it in time; null at the end. */
  readonly next: string | null
}

export interface NewestFirst<T> {
  readonly query: Query<Page<T>>
  /** What is loaded, newest first. */
  readonly rows: ComputedRef<readonly T[]>
  /** How many newer ones are held back while the list stands still. */
  readonly held: ComputedRef<number>
  readonly more: ComputedRef<boolean>
  readonly loadingOlder: Ref<boolean>
  readonly failure: ShallowRef<unknown>
  loadOlder: () => Promise<void>
  /** Asks for what came since; to be called when something did. */
  loadNewer: () => Promise<void>
  showHeld: () => void
}

/**
 * A log in a database: a page at a time towards the past, and new entries as they come. While `still` is true, new ones
 * are held back, so that rows do not move under the eyes of who reads them.
 */
export function useNewestFirst<T>(options: {
  /** Of the query; another key is another list. */
  key: () => readonly unknown[]
  /** At most `limit` entries before the cursor. */
  ask: (paging: { limit: number; cursor: string | undefined }, signal?: AbortSignal) => Promise<Page<T>>
  /** Grows with time. */
  idOf: (item: T) => number
  still?: () => boolean
}): NewestFirst<T> {
  const { key, ask, idOf, still = () => false } = options
  const limit = 100
  const query: Query<Page<T>> = useQuery<Page<T>>({
    queryKey: computed(key),
    queryFn: ({ signal }) => ask({ limit, cursor: undefined }, signal),
    placeholderData: keepPreviousData,
    staleTime: 0,
    gcTime: 0,
  })

  const older = shallowRef<readonly T[]>([])
  const newer = shallowRef<readonly T[]>([])
  const held = shallowRef<readonly T[]>([])
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

  /** An answer that comes after the list became another is of no use. */
  async function forThisList(cursor: string | undefined, use: (page: Page<T>) => void): Promise<void> {
    const first = query.data.value
    try {
      const page = await ask({ limit, cursor })
      if (query.data.value === first) use(page)
    } catch (error) {
      if (query.data.value === first) failure.value = error
    }
  }

  async function loadOlder(): Promise<void> {
    if (loadingOlder.value || next.value === null) return
    loadingOlder.value = true
    failure.value = null
    await forThisList(next.value, ({ items, next: cursor }) => {
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
    await forThisList(undefined, ({ items }) => {
      const known = held.value[0] ?? newer.value[0] ?? query.data.value?.items[0]
      const fresh = known === undefined ? items : items.filter((item) => idOf(item) > idOf(known))
      held.value = [...fresh, ...held.value].slice(0, limit)
      if (!still()) showHeld()
    })
    asking = false
    if (!askAgain) return
    askAgain = false
    await loadNewer()
  }

  function showHeld(): void {
    if (held.value.length === 0) return
    // As many as are asked for at once: there may be others between them and what is shown.
    if (held.value.length === limit) void query.refetch()
    else newer.value = [...held.value, ...newer.value]
    held.value = []
  }

  return {
    query,
    rows: computed(() => [...newer.value, ...(query.data.value?.items ?? []), ...older.value]),
    held: computed(() => held.value.length),
    more: computed(() => next.value !== null),
    loadingOlder,
    failure,
    loadOlder,
    loadNewer,
    showHeld,
  }
}
