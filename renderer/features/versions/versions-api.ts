import {
  configVersionDetailSchema,
  configVersionsSchema,
  identityVersionDetailSchema,
  identityVersionsSchema,
  pushListSchema,
} from '../../../hub/contract/index.ts'
import { request } from '../../lib/client.ts'

const because = (reason: string): { reason?: string } => (reason === '' ? {} : { reason })

/** What was in force before, and how it came there. */
export const versionsApi = {
  list: (signal: AbortSignal) => request('GET /api/config/versions', configVersionsSchema, { signal }),
  one: (id: number, signal: AbortSignal) =>
    request('GET /api/config/versions/:id', configVersionDetailSchema, { params: { id }, signal }),
  restore: (id: number, reason: string) =>
    request('POST /api/config/versions/:id/restore', configVersionsSchema, { params: { id }, body: because(reason) }),

  users: (signal: AbortSignal) => request('GET /api/config/users/versions', identityVersionsSchema, { signal }),
  usersOne: (id: number, signal: AbortSignal) =>
    request('GET /api/config/users/versions/:id', identityVersionDetailSchema, { params: { id }, signal }),
  restoreUsers: (id: number, reason: string) =>
    request('POST /api/config/users/versions/:id/restore', identityVersionsSchema, {
      params: { id },
      body: because(reason),
    }),

  pushes: (signal: AbortSignal) => request('GET /api/admin/config/pushes', pushListSchema, { signal }),
}

export const versionKeys = {
  users: ['user-versions'],
  usersOne: (id: number) => ['user-versions', id],
  pushes: ['config-pushes'],
} as const
