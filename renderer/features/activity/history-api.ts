import { historyPageSchema, requestDetailSchema, statsSchema, type Stats } from '../../../hub/contract/index.ts'
import type { QueryOf } from '../../../hub/contract/operations/table.ts'
import { request } from '../../lib/client.ts'

export const requestsPage = (query: QueryOf<'GET /api/history'>, signal?: AbortSignal) =>
  request('GET /api/history', historyPageSchema, { query, signal })
export const requestDetail = (id: string, signal?: AbortSignal) =>
  request('GET /api/history/:id', requestDetailSchema, { params: { id }, signal })
export const trafficStats = (window: Stats['window'], signal?: AbortSignal) =>
  request('GET /api/stats', statsSchema, { query: { window }, signal })
