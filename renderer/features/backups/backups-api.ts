import { backupContentsSchema, backupSchema, backupsSchema } from '../../../hub/contract/index.ts'
import { addressOf, perform, request } from '../../lib/client.ts'

export const backupsApi = {
  list: (signal?: AbortSignal) => request('GET /api/backups', backupsSchema, { signal }),
  create: () => request('POST /api/backups', backupSchema),
  contents: (name: string, signal?: AbortSignal) =>
    request('GET /api/backups/:name/contents', backupContentsSchema, { params: { name }, signal }),
  restore: (name: string) => perform('POST /api/backups/:name/restore', { params: { name } }),
  remove: (name: string) => perform('DELETE /api/backups/:name', { params: { name } }),
  /** Where the browser fetches it. */
  address: (name: string) => addressOf('GET /api/backups/:name', { params: { name } }),
}

export const backupsKey = ['backups'] as const
