import { computed, type ComputedRef } from 'vue'
import { useRoute, useRouter, type LocationQuery } from 'vue-router'
import { outcomes, statsWindows, type Outcome } from '../../../hub/contract/index.ts'
import type { QueryOf } from '../../../hub/contract/operations/table.ts'

/** What is not a control of its own, and is chosen by pressing a value of a request. */
export const extraFields = ['client', 'principal', 'endpoint', 'name'] as const
export type ExtraField = (typeof extraFields)[number]

export const ranges = [...statsWindows, 'all'] as const
export type Range = (typeof ranges)[number]
const HOUR = 3_600_000
const lengths: Readonly<Record<Exclude<Range, 'all'>, number>> = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR }

export const methods = [
  'tools/call',
  'tools/list',
  'prompts/get',
  'prompts/list',
  'resources/read',
  'resources/list',
  'resources/templates/list',
  'completion/complete',
  'initialize',
  'server/discover',
] as const

/** What the page shows, as its address says it. */
export type ActivityFilter = Readonly<{
  q: string
  range: Range
  server: string
  method: string
  outcome: Outcome | ''
}> &
  Readonly<Record<ExtraField, string>>

export function readFilter(query: LocationQuery): ActivityFilter {
  const text = (name: string): string => {
    const value = query[name]
    return typeof value === 'string' ? value : ''
  }
  return {
    q: text('q'),
    range: ranges.find((range) => range === text('range')) ?? 'all',
    server: text('server'),
    method: text('method'),
    outcome: outcomes.find((outcome) => outcome === text('outcome')) ?? '',
    client: text('client'),
    principal: text('principal'),
    endpoint: text('endpoint'),
    name: text('name'),
  }
}

type FilterQuery = Omit<QueryOf<'GET /api/history'>, 'limit' | 'cursor'>

/** As `GET /api/history` takes it. A range ends where now is, so it is worked out with each question. */
export function toApiQuery({ range, ...rest }: ActivityFilter, now: number): FilterQuery {
  const named = Object.entries(rest).filter(([, value]) => value !== '')
  const from = range === 'all' ? [] : [['from', String(now - lengths[range])]]
  return Object.fromEntries([...named, ...from]) as FilterQuery
}

export const isFiltered = ({ range, ...rest }: ActivityFilter): boolean =>
  range !== 'all' || Object.values(rest).some((value) => value !== '')

export interface FilterState {
  readonly filter: ComputedRef<ActivityFilter>
  set: (changes: Partial<ActivityFilter>) => void
  clear: () => void
}

/** The filter lives in the address, so that a reload and a link show the same. */
export function useActivityFilter(): FilterState {
  const route = useRoute()
  const router = useRouter()
  return {
    filter: computed(() => readFilter(route.query)),
    set(changes) {
      const next = Object.entries({ ...readFilter(route.query), ...changes }).filter(
        ([name, value]) => value !== '' && !(name === 'range' && value === 'all'),
      )
      void router.replace({ query: Object.fromEntries(next) })
    },
    clear() {
      void router.replace({ query: {} })
    },
  }
}
