import { useQuery } from '@tanstack/vue-query'
import { computed, toValue, type MaybeRefOrGetter } from 'vue'
import { z } from 'zod'
import {
  publishRecordDetailSchema,
  publishRecordSchema,
  savedTargetSchema,
  type PublishRecord,
  type PublishRecordDetail,
  type SavedTarget,
  type SaveTargetInput,
} from '../../../../hub/contract/index.ts'
import { perform, request } from '../../../lib/client.ts'
import type { Query } from '../../../lib/queries.ts'

export const targetsApi = {
  list: (signal?: AbortSignal) => request('GET /api/publish/targets', z.array(savedTargetSchema), { signal }),
  one: (name: string, signal?: AbortSignal) =>
    request('GET /api/publish/targets/:name', savedTargetSchema, { params: { name }, signal }),
  save: (name: string, body: SaveTargetInput) =>
    request('PUT /api/publish/targets/:name', savedTargetSchema, { params: { name }, body }),
  remove: (name: string) => perform('DELETE /api/publish/targets/:name', { params: { name } }),
  forgetHostKeys: (name: string) => perform('DELETE /api/publish/targets/:name/host-keys', { params: { name } }),
  history: (name: string, signal?: AbortSignal) =>
    request('GET /api/publish/targets/:name/history', z.array(publishRecordSchema), { params: { name }, signal }),
  record: (name: string, id: string, signal?: AbortSignal) =>
    request('GET /api/publish/targets/:name/history/:id', publishRecordDetailSchema, { params: { name, id }, signal }),
}

export const targetKeys = {
  all: ['publish-targets'],
  one: (name: string) => ['publish-targets', name],
  history: (name: string) => ['publish-targets', name, 'history'],
  record: (name: string, id: string) => ['publish-targets', name, 'history', id],
} as const

export const useTargets = (): Query<SavedTarget[]> =>
  useQuery({ queryKey: targetKeys.all, queryFn: ({ signal }) => targetsApi.list(signal), staleTime: 0 })
export const useTarget = (name: MaybeRefOrGetter<string>): Query<SavedTarget> =>
  useQuery({
    queryKey: computed(() => targetKeys.one(toValue(name))),
    queryFn: ({ signal }) => targetsApi.one(toValue(name), signal),
  })
export const useTargetHistory = (name: MaybeRefOrGetter<string>): Query<PublishRecord[]> =>
  useQuery({
    queryKey: computed(() => targetKeys.history(toValue(name))),
    queryFn: ({ signal }) => targetsApi.history(toValue(name), signal),
    staleTime: 0,
  })
export const usePublishRecord = (
  name: MaybeRefOrGetter<string>,
  id: MaybeRefOrGetter<string>,
): Query<PublishRecordDetail> =>
  useQuery({
    queryKey: computed(() => targetKeys.record(toValue(name), toValue(id))),
    queryFn: ({ signal }) => targetsApi.record(toValue(name), toValue(id), signal),
  })
