import { z } from 'zod'
import { exportRequestSchema, exportResultSchema, previewSchema, publishRequestSchema } from '../publish.ts'
import {
  publishRecordDetailSchema,
  publishRecordSchema,
  pushRequestSchema,
  rollbackRequestSchema,
  runAnswerSchema,
  runEventSchema,
  saveTargetSchema,
  savedTargetSchema,
} from '../push.ts'
import type { OperationTable } from './operation.ts'

const runLines = 'events come by lines (RunEvent), the result last'

/** Bundles, and the servers that they go to. */
export const publishOperations = {
  'POST /api/publish/preview': {
    summary: 'What a bundle would hold',
    body: publishRequestSchema,
    answer: previewSchema,
  },
  'POST /api/publish/archive': {
    summary: 'The bundle as an archive; the same configuration and target give the same bytes',
    body: publishRequestSchema,
    answer: 'application/gzip',
  },
  'POST /api/publish/export': {
    summary: 'Write a bundle into a folder',
    body: exportRequestSchema,
    answer: exportResultSchema,
  },
  'GET /api/publish/targets': { summary: 'The servers to publish to', answer: z.array(savedTargetSchema) },
  'GET /api/publish/targets/:name': { summary: 'One of them', answer: savedTargetSchema },
  'PUT /api/publish/targets/:name': {
    summary: 'Create, replace or rename a target',
    body: saveTargetSchema,
    answer: savedTargetSchema,
  },
  'DELETE /api/publish/targets/:name': { summary: 'Forget a target and its history; the server stays as it is' },
  'GET /api/publish/targets/:name/history': {
    summary: 'What was published there, the newest first; the last 50 are kept',
    answer: z.array(publishRecordSchema),
  },
  'GET /api/publish/targets/:name/history/:id': {
    summary: 'One publish with its steps, its log and what was generated',
    answer: publishRecordDetailSchema,
  },
  'DELETE /api/publish/targets/:name/host-keys': {
    summary: 'Forget the SSH keys that were confirmed for the target and its jump host',
  },
  'POST /api/publish/targets/:name/plan': {
    summary: `What is on the target and what a push would change; ${runLines}`,
    answer: 'application/x-ndjson',
    lines: runEventSchema,
  },
  'POST /api/publish/targets/:name/push': {
    summary: `Bring the present configuration into use on the target, or what was there back; ${runLines}`,
    body: pushRequestSchema,
    answer: 'application/x-ndjson',
    lines: runEventSchema,
  },
  'POST /api/publish/targets/:name/rollback': {
    summary: `Go back to a release that is still on the target; ${runLines}`,
    body: rollbackRequestSchema,
    answer: 'application/x-ndjson',
    lines: runEventSchema,
  },
  'POST /api/publish/targets/:name/verify': {
    summary: `Try what is in use on the target, and look at its certificate and versions; ${runLines}`,
    answer: 'application/x-ndjson',
    lines: runEventSchema,
  },
  'POST /api/publish/targets/:name/pull': {
    summary: `Take back what was changed in the configuration there; ${runLines}`,
    answer: 'application/x-ndjson',
    lines: runEventSchema,
  },
  'POST /api/publish/runs/:run/questions/:question': {
    summary: 'Answer what a run of one’s own asks',
    body: runAnswerSchema,
  },
  'DELETE /api/publish/runs/:run': { summary: 'Cancel a run of one’s own, which goes on to tell how it ends' },
} as const satisfies OperationTable
