import { z } from 'zod'
import {
  auditPageSchema,
  auditVerificationSchema,
  createdKeySchema,
  createdUserSchema,
  enrolmentSchema,
  keySchema,
  sessionInfoSchema,
  unusedGrantSchema,
  userSchema,
} from '../../../hub/contract/index.ts'
import type { BodyOf, QueryOf } from '../../../hub/contract/operations/table.ts'
import { perform, request } from '../../lib/client.ts'

/** Who may do what: users, keys, sign-ins and the record of what administrators did. */
export const accessApi = {
  users: (signal?: AbortSignal) => request('GET /api/users', z.array(userSchema), { signal }),
  createUser: (body: BodyOf<'POST /api/users'>) => request('POST /api/users', createdUserSchema, { body }),
  editUser: (name: string, body: BodyOf<'PUT /api/users/:name'>) =>
    request('PUT /api/users/:name', userSchema, { params: { name }, body }),
  deleteUser: (name: string) => perform('DELETE /api/users/:name', { params: { name } }),
  resetPassword: (name: string, password: string | undefined) =>
    request('POST /api/users/:name/password', createdUserSchema, {
      params: { name },
      body: password === undefined ? {} : { password },
    }),
  unlock: (name: string) => perform('POST /api/users/:name/unlock', { params: { name } }),
  signOut: (name: string) => perform('POST /api/users/:name/sign-out', { params: { name } }),

  keys: (signal?: AbortSignal) => request('GET /api/keys', z.array(keySchema), { signal }),
  createKey: (body: BodyOf<'POST /api/keys'>) => request('POST /api/keys', createdKeySchema, { body }),
  editKey: (id: string, body: BodyOf<'PUT /api/keys/:id'>) =>
    request('PUT /api/keys/:id', keySchema, { params: { id }, body }),
  /** A code that another computer exchanges for a deploy key. */
  enrol: (body: BodyOf<'POST /api/admin/deploy-keys'>) =>
    request('POST /api/admin/deploy-keys', enrolmentSchema, { body }),
  deleteKey: (id: string) => perform('DELETE /api/keys/:id', { params: { id } }),

  /** What nobody used for 90 days. */
  unused: (signal?: AbortSignal) => request('GET /api/access/unused', z.array(unusedGrantSchema), { signal }),

  sessions: (signal?: AbortSignal) => request('GET /api/sessions', z.array(sessionInfoSchema), { signal }),
  endSession: (id: string) => perform('DELETE /api/sessions/:id', { params: { id } }),

  audit: (query: QueryOf<'GET /api/audit'>, signal?: AbortSignal) =>
    request('GET /api/audit', auditPageSchema, { query, signal }),
  verifyAudit: () => request('GET /api/audit/verify', auditVerificationSchema),
}

export const accessKeys = {
  users: ['users'],
  keys: ['keys'],
  unused: ['unused-grants'],
  sessions: ['sessions'],
  audit: (filter: unknown) => ['audit', filter],
} as const
