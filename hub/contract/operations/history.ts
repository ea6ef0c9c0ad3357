import { z } from 'zod'
import {
  auditExportSchema,
  auditPageSchema,
  auditQuerySchema,
  auditVerificationSchema,
  historyExportSchema,
  historyPageSchema,
  historyQuerySchema,
  requestDetailSchema,
  statsQuerySchema,
  statsSchema,
  toolUseSchema,
} from '../history.ts'
import type { OperationTable } from './operation.ts'

/** What was asked, what was done and how much of it. */
export const historyOperations = {
  'GET /api/history': {
    summary: 'Requests of clients, newest first; only one’s own without history:read',
    query: historyQuerySchema,
    answer: historyPageSchema,
  },
  'GET /api/history/export': {
    summary: 'The same without pages, as NDJSON or CSV',
    query: historyExportSchema,
    answer: 'application/x-ndjson',
  },
  'GET /api/history/:id': { summary: 'One request, with what is kept of its payloads', answer: requestDetailSchema },
  'GET /api/tools/last-used': {
    summary: 'When each tool was called last, as far as the history goes back; without history:read, by oneself',
    answer: z.array(toolUseSchema),
  },
  'GET /api/stats': {
    summary: 'Calls, errors and latencies of the last hour, day or week',
    query: statsQuerySchema,
    answer: statsSchema,
  },
  'GET /api/metrics': { summary: 'Figures for Prometheus', answer: 'text/plain' },
  'GET /api/audit': { summary: 'Administrative acts, newest first', query: auditQuerySchema, answer: auditPageSchema },
  'GET /api/audit/export': {
    summary: 'The same without pages, as NDJSON or CSV',
    query: auditExportSchema,
    answer: 'application/x-ndjson',
  },
  'GET /api/audit/verify': { summary: 'Whether the audit log is whole', answer: auditVerificationSchema },
} as const satisfies OperationTable
