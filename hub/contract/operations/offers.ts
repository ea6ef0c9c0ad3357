import { z } from 'zod'
import { appFrameQuerySchema } from '../app-frame.ts'
import {
  answerQuestionSchema,
  callEventSchema,
  callResultSchema,
  callToolSchema,
  completeSchema,
  getPromptSchema,
  readResourceSchema,
} from '../calls.ts'
import { casesQuerySchema, editCaseSchema, saveCaseSchema, savedCaseDetailSchema, savedCaseSchema } from '../cases.ts'
import { pinSchema, pinsSetSchema, setPinsSchema } from '../pins.ts'
import { promptEntrySchema, resourceEntrySchema, toolEntrySchema, toolsQuerySchema } from '../tools.ts'
import type { OperationTable } from './operation.ts'

const byLines = 'with Accept: application/x-ndjson, progress and questions come as lines before the result (CallEvent)'

/** What the servers offer, tried by hand and approved. */
export const offersOperations = {
  'GET /api/apps/frame': {
    summary: 'The document in which the app of a server runs (MCP Apps), under a policy of its own',
    query: appFrameQuerySchema,
    answer: 'text/html',
  },
  'GET /api/tools': {
    summary: 'Tools of all servers, or of one',
    query: toolsQuerySchema,
    answer: z.array(toolEntrySchema),
  },
  'GET /api/prompts': { summary: 'Prompts of all servers', answer: z.array(promptEntrySchema) },
  'GET /api/resources': { summary: 'Resources of all servers', answer: z.array(resourceEntrySchema) },
  'POST /api/tools/call': {
    summary: `Call a tool; ${byLines}`,
    body: callToolSchema,
    answer: callResultSchema,
    lines: callEventSchema,
  },
  'POST /api/prompts/get': {
    summary: `Get a prompt; ${byLines}`,
    body: getPromptSchema,
    answer: callResultSchema,
    lines: callEventSchema,
  },
  'POST /api/resources/read': {
    summary: `Read a resource; ${byLines}`,
    body: readResourceSchema,
    answer: callResultSchema,
    lines: callEventSchema,
  },
  'POST /api/completions': {
    summary:
      'Values for an argument of a prompt or a template (completion/complete); none where the server has no completion',
    body: completeSchema,
    answer: callResultSchema,
  },
  'POST /api/calls/:call/questions/:question': {
    summary: 'Answer what a server asks during an interactive call of one’s own',
    body: answerQuestionSchema,
  },

  'GET /api/cases': {
    summary: 'Saved cases of calls that the caller may make, without what they hold',
    query: casesQuerySchema,
    answer: z.array(savedCaseSchema),
  },
  'POST /api/cases': {
    summary: 'Save the arguments of a call under a name, and what it should answer',
    body: saveCaseSchema,
    answer: savedCaseDetailSchema,
    status: 201,
  },
  'GET /api/cases/:id': { summary: 'One saved case', answer: savedCaseDetailSchema },
  'PUT /api/cases/:id': {
    summary: 'Rename or overwrite a saved case, or move it to another call',
    body: editCaseSchema,
    answer: savedCaseDetailSchema,
  },
  'DELETE /api/cases/:id': { summary: 'Delete a saved case' },

  'GET /api/servers/:name/tools/:tool/pin': { summary: 'A tool’s definition, approved and now', answer: pinSchema },
  'GET /api/servers/:name/instructions/pin': {
    summary: 'What a server tells models of itself, approved and now',
    answer: pinSchema,
  },
  'POST /api/pins': {
    summary: 'Approve or quarantine tools, and instructions of servers, or take that back',
    body: setPinsSchema,
    answer: pinsSetSchema,
  },
} as const satisfies OperationTable
