import { computed, type ComputedRef } from 'vue'
import type { Profile } from '../../../hub/contract/index.ts'
import { useServers } from '../../lib/queries.ts'
import { useQueryParam } from '../../lib/use-query-param.ts'
import { includesServer } from './profile-draft.ts'

/** The server whose items are chosen: that of the address, or the first that belongs to the profile; null where there is none. */
export function useEditedServer(profile: () => Profile | null): ComputedRef<string | null> {
  const servers = useServers()
  const asked = useQueryParam('server')
  return computed(() => {
    const draft = profile()
    if (draft === null) return null
    const known = servers.data.value?.map(({ name }) => name) ?? []
    const names = [...known, ...Object.keys(draft.servers)]
    if (names.includes(asked.value)) return asked.value
    return names.find((name) => includesServer(draft, name)) ?? names[0] ?? null
  })
}
