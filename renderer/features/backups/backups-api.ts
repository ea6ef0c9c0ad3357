import { z } from 'zod'
import { backupContentsSchema, backupSchema, backupsSchema } from '../../../hub/contract/index.ts'
import { request } from '../../lib/api.ts'

const backup = (name: string): string => `/api/backups/${encodeURIComponent(name)}`

export const backupsApi = {
  list: (signal?: AbortSignal) => request('/api/backups', backupsSchema, { signal }),
  create: () => request('/api/backups', backupSchema, { method: 'POST' }),
  contents: (name: string, signal?: AbortSignal) =>
    request(`${backup(name)}/contents`, backupContentsSchema, { signal }),
  restore: (name: string) => request(`${backup(name)}/restore`, z.unknown(), { method: 'POST' }),
  remove: (name: string) => request(backup(name), z.unknown(), { method: 'DELETE' }),
  /** Where the browser fetches it. */
  address: backup,
}

export const backupsKey = ['backups'] as const
