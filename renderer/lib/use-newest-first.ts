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
  readonly rows: Readonly<ShallowRef<readonly T[]>>
  /** Another number is a list of other rows, which is shown from its top. */
  readonly list: Readonly<Ref<number>>
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

  const rows = shallowRef<readonly T[]>([])
  const held = shallowRef<readonly T[]>([])
  const list = ref(0)
  const next = ref<string | null>(null)
  const failure = shallowRef<unknown>(null)
  const loadingOlder = ref(false)
  const newest = (): T | undefined => held.value[0] ?? rows.value[0]
  let shownKey: string | null = null
  watch(
    query.data,
    (page) => {
      const [known, pageKey] = [newest(), JSON.stringify(key())]
      failure.value = null
      // The first page of the list that is shown, read again: what is there stays, with its place and its focus.
      if (pageKey === shownKey && known !== undefined && page?.items.some((item) => idOf(item) === idOf(known))) {
        hold(page.items)
        return
      }
      shownKey = pageKey
      rows.value = page?.items ?? []
      held.value = []
      next.value = page?.next ?? null
      list.value++
    },
    { immediate: true },
  )

  /** Takes what is newer than all that is known. */
  function hold(items: readonly T[]): void {
    const known = newest()
    const fresh = known === undefined ? items : items.filter((item) => idOf(item) > idOf(known))
    held.value = [...fresh, ...held.value].slice(0, limit)
    if (!still()) showHeld()
  }

  /** An answer that comes after the list became another is of no use. */
  async function forThisList(cursor: string | undefined, use: (page: Page<T>) => void): Promise<void> {
    const asked = list.value
    try {
      const page = await ask({ limit, cursor })
      if (list.value === asked) use(page)
    } catch (error) {
      if (list.value === asked) failure.value = error
    }
  }

  async function loadOlder(): Promise<void> {
    if (loadingOlder.value || next.value === null) return
    loadingOlder.value = true
    failure.value = null
    await forThisList(next.value, ({ items, next: cursor }) => {
      rows.value = [...rows.value, ...items]
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
    await forThisList(undefined, ({ items }) => hold(items))
    asking = false
    if (!askAgain) return
    askAgain = false
    await loadNewer()
  }

  function showHeld(): void {
    if (held.value.length === 0) return
    // As many as are asked for at once: there may be others between them and what is shown.
    if (held.value.length === limit) void query.refetch()
    else rows.value = [...held.value, ...rows.value]
    held.value = []
  }

  return {
    query,
    rows,
    list,
    held: computed(() => held.value.length),
    more: computed(() => next.value !== null),
    loadingOlder,
    failure,
    loadOlder,
    loadNewer,
    showHeld,
  }
}
