import { z } from 'zod'
import {
  auditPageSchema,
  auditVerificationSchema,
  createdKeySchema,
  createdUserSchema,
  enrolmentSchema,
  keySchema,
  sessionInfoSchema,
  userSchema,
  type createKeySchema,
  type createUserSchema,
  type editKeySchema,
  type editUserSchema,
  type enrolDeployKeySchema,
} from '../../../hub/contract/index.ts'
import { request } from '../../lib/api.ts'

const nothing = z.unknown()
const user = (name: string): string => `/api/users/${encodeURIComponent(name)}`
const key = (id: string): string => `/api/keys/${encodeURIComponent(id)}`

/** Who may do what: users, keys, sign-ins and the record of what administrators did. */
export const accessApi = {
  users: (signal?: AbortSignal) => request('/api/users', z.array(userSchema), { signal }),
  createUser: (body: z.input<typeof createUserSchema>) =>
    request('/api/users', createdUserSchema, { method: 'POST', body }),
  editUser: (name: string, body: z.input<typeof editUserSchema>) =>
    request(user(name), userSchema, { method: 'PUT', body }),
  deleteUser: (name: string) => request(user(name), nothing, { method: 'DELETE' }),
  resetPassword: (name: string, password: string | undefined) =>
    request(`${user(name)}/password`, createdUserSchema, {
      method: 'POST',
      body: password === undefined ? {} : { password },
    }),
  unlock: (name: string) => request(`${user(name)}/unlock`, nothing, { method: 'POST' }),
  signOut: (name: string) => request(`${user(name)}/sign-out`, nothing, { method: 'POST' }),

  keys: (signal?: AbortSignal) => request('/api/keys', z.array(keySchema), { signal }),
  createKey: (body: z.input<typeof createKeySchema>) =>
    request('/api/keys', createdKeySchema, { method: 'POST', body }),
  editKey: (id: string, body: z.input<typeof editKeySchema>) => request(key(id), keySchema, { method: 'PUT', body }),
  /** A code that another computer exchanges for a deploy key. */
  enrol: (body: z.input<typeof enrolDeployKeySchema>) =>
    request('/api/admin/deploy-keys', enrolmentSchema, { method: 'POST', body }),
  deleteKey: (id: string) => request(key(id), nothing, { method: 'DELETE' }),

  sessions: (signal?: AbortSignal) => request('/api/sessions', z.array(sessionInfoSchema), { signal }),
  endSession: (id: string) => request(`/api/sessions/${encodeURIComponent(id)}`, nothing, { method: 'DELETE' }),

  audit: (query: Record<string, string>, signal?: AbortSignal) =>
    request(`/api/audit?${new URLSearchParams(query).toString()}`, auditPageSchema, { signal }),
  verifyAudit: () => request('/api/audit/verify', auditVerificationSchema),
}

export const accessKeys = {
  users: ['users'],
  keys: ['keys'],
  sessions: ['sessions'],
  audit: (filter: unknown) => ['audit', filter],
} as const
