import { keepPreviousData, useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { previewSchema, type Preview, type TargetInput } from '../../../../hub/contract/index.ts'
import { request } from '../../../lib/client.ts'
import type { Query } from '../../../lib/queries.ts'

/** Null while the form cannot be sent; the last preview stays on screen until the next one is there. */
export const usePreview = (target: MaybeRefOrGetter<TargetInput | null>): Query<Preview> =>
  useQuery({
    queryKey: computed(() => ['publish', toValue(target)]),
    queryFn: ({ signal }) =>
      request('POST /api/publish/preview', previewSchema, { body: { target: toValue(target) as TargetInput }, signal }),
    enabled: () => toValue(target) !== null,
    placeholderData: keepPreviousData,
    staleTime: 0,
  })
