import { computed, type ComputedRef } from 'vue'
import { usePrompts, useResources } from '../../lib/queries.ts'
import { useServerTools } from '../tools/queries.ts'
import type { Offered, OfferKind } from './profile-draft.ts'

export interface Offer extends Offered {
  title: string | null
  description: string | null
}

/** What a server offers of a kind, as far as a profile can choose it. */
export function useOffers(server: () => string, kind: () => OfferKind): ComputedRef<Offer[]> {
  const tools = useServerTools(server)
  const prompts = usePrompts(() => kind() === 'prompts')
  const resources = useResources(() => kind() === 'resources')
  return computed(() => {
    const ours = <T extends { server: string }>(list: readonly T[] | undefined): T[] =>
      (list ?? []).filter((entry) => entry.server === server())
    if (kind() === 'tools')
      return (tools.data.value ?? []).map(({ name, title, description, annotations }) => ({
        name,
        title,
        description,
        readOnly: annotations?.['readOnlyHint'] === true,
      }))
    if (kind() === 'prompts')
      return ours(prompts.data.value).map(({ name, title, description }) => ({
        name,
        title,
        description,
        readOnly: false,
      }))
    return ours(resources.data.value).map(({ uri, title, name, description }) => ({
      name: uri,
      title: title ?? name,
      description,
      readOnly: false,
    }))
  })
}
