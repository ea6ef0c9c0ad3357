import { useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { z } from 'zod'
import { toolEntrySchema, toolUseSchema, type ListedTool, type ToolEntry } from '../../../hub/contract/index.ts'
import { request } from '../../lib/client.ts'
import { keys, type Query } from '../../lib/queries.ts'

const ask = (
  query: { server?: string; name?: string; schemas?: 'false'; pin?: 'unapproved' },
  signal: AbortSignal,
): Promise<ToolEntry[]> => request('GET /api/tools', z.array(toolEntrySchema), { query, signal })

export const useTools = (enabled: MaybeRefOrGetter<boolean> = true): Query<ListedTool[]> =>
  useQuery({
    queryKey: keys.tools,
    queryFn: ({ signal }) => ask({ schemas: 'false' }, signal),
    enabled: () => toValue(enabled),
  })

// The others are under the same key, so that all are asked for again together.
export const useServerTools = (server: MaybeRefOrGetter<string>): Query<ListedTool[]> =>
  useQuery({
    queryKey: computed(() => [...keys.tools, toValue(server)]),
    queryFn: ({ signal }) => ask({ server: toValue(server), schemas: 'false' }, signal),
  })

/** When each tool was called last, by `server/name`, as far as the history goes back. */
export const useLastUsed = (): Query<ReadonlyMap<string, number>> =>
  useQuery({
    queryKey: keys.lastUsed,
    queryFn: async ({ signal }) => {
      const uses = await request('GET /api/tools/last-used', z.array(toolUseSchema), { signal })
      return new Map(uses.map(({ server, name, at }) => [`${server}/${name}`, at]))
    },
    refetchInterval: 30_000,
  })

/** Those whose definition is not the approved one. */
export const useUnapprovedTools = (enabled: MaybeRefOrGetter<boolean>): Query<ListedTool[]> =>
  useQuery({
    queryKey: [...keys.tools, { pin: 'unapproved' }],
    queryFn: ({ signal }) => ask({ pin: 'unapproved', schemas: 'false' }, signal),
    enabled: () => toValue(enabled),
  })

/** One tool with its schemas; null where there is none of that name. */
export const useTool = (
  server: MaybeRefOrGetter<string>,
  name: MaybeRefOrGetter<string>,
  enabled: MaybeRefOrGetter<boolean> = true,
): Query<ToolEntry | null> =>
  useQuery({
    queryKey: computed(() => [...keys.tools, toValue(server), toValue(name)]),
    queryFn: async ({ signal }) => (await ask({ server: toValue(server), name: toValue(name) }, signal))[0] ?? null,
    enabled: () => toValue(enabled),
  })
