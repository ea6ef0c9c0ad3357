import { z } from 'zod'
import { savedCaseDetailSchema, savedCaseSchema, type SaveCase } from '../../../../hub/contract/index.ts'
import type { BodyOf } from '../../../../hub/contract/operations/table.ts'
import { perform, request } from '../../../lib/client.ts'

/** The method, the server and the name of what is called there. */
export type Subject = readonly [method: SaveCase['method'], server: string, target: string]

export const casesApi = {
  list: ([method, server, target]: Subject, signal?: AbortSignal) =>
    request('GET /api/cases', z.array(savedCaseSchema), { query: { method, server, target }, signal }),
  /** Of calls that no server offers any more. */
  gone: (method: Subject[0], signal: AbortSignal) =>
    request('GET /api/cases', z.array(savedCaseSchema), { query: { method, gone: 'true' }, signal }),
  find: (id: string) => request('GET /api/cases/:id', savedCaseDetailSchema, { params: { id } }),
  save: (body: BodyOf<'POST /api/cases'>) => request('POST /api/cases', savedCaseDetailSchema, { body }),
  edit: (id: string, body: BodyOf<'PUT /api/cases/:id'>) =>
    request('PUT /api/cases/:id', savedCaseDetailSchema, { params: { id }, body }),
  remove: (id: string) => perform('DELETE /api/cases/:id', { params: { id } }),
}
