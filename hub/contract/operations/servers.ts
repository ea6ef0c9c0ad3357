import { z } from 'zod'
import { accountSchema, signInSchema, signInStartedSchema, signedOutSchema } from '../accounts.ts'
import { serverConfigSchema } from '../config.ts'
import { doctorProgressSchema, doctorReportSchema, doctorRequestSchema, runtimesSchema } from '../doctor.ts'
import {
  addServerSchema,
  agreeSchema,
  dryRunResultSchema,
  dryRunSchema,
  editServerSchema,
  execConsentSchema,
  findSecretsSchema,
  foundSecretsSchema,
  logsQuerySchema,
  logsSchema,
  parsePasteSchema,
  parsedPasteSchema,
  serverDetailSchema,
  serverStatusSchema,
} from '../servers.ts'
import type { OperationTable } from './operation.ts'

/** The MCP servers, and the accounts and programs that they need. */
export const serversOperations = {
  'GET /api/servers': { summary: 'All servers with their state', answer: z.array(serverStatusSchema) },
  'POST /api/servers': { summary: 'Add a server', body: addServerSchema, answer: serverDetailSchema, status: 201 },
  'POST /api/servers/parse': {
    summary: 'Read what was pasted; saves nothing',
    body: parsePasteSchema,
    answer: parsedPasteSchema,
  },
  'POST /api/servers/secrets': {
    summary: 'What saving this entry would move into the vault; saves nothing',
    body: findSecretsSchema,
    answer: foundSecretsSchema,
  },
  'POST /api/servers/dry-run': {
    summary: 'Start a server once, list what it offers, and stop it; saves nothing',
    body: dryRunSchema,
    answer: dryRunResultSchema,
  },
  'GET /api/servers/:name': { summary: 'One server', answer: serverDetailSchema },
  'PUT /api/servers/:name': { summary: 'Change a server', body: editServerSchema, answer: serverDetailSchema },
  'DELETE /api/servers/:name': {
    summary: 'Remove a server; answers what was removed',
    answer: z.object({ name: z.string(), config: serverConfigSchema }),
  },
  'POST /api/servers/:name/enable': { summary: 'Enable a server', answer: serverDetailSchema },
  'POST /api/servers/:name/disable': { summary: 'Disable a server', answer: serverDetailSchema },
  'POST /api/servers/:name/restart': { summary: 'Restart a server', answer: serverDetailSchema },
  'GET /api/servers/:name/consent': {
    summary: 'Whether a person has to agree to the program that it runs, and what changed',
    answer: execConsentSchema,
  },
  'POST /api/servers/:name/consent': {
    summary: 'Agree to that program, and start it',
    body: agreeSchema,
    answer: serverDetailSchema,
  },
  'POST /api/servers/:name/doctor': {
    summary:
      'Examine a server, or an entry that is not saved, step by step; with Accept: application/x-ndjson each step is a line as it ends',
    body: doctorRequestSchema,
    answer: doctorReportSchema,
    lines: doctorProgressSchema,
  },
  'GET /api/servers/:name/logs': {
    summary: 'The newest lines of its log, or those before a line',
    query: logsQuerySchema,
    answer: logsSchema,
  },

  'GET /api/accounts': { summary: 'The hub’s accounts at remote servers', answer: z.array(accountSchema) },
  'POST /api/accounts/:name/sign-in': {
    summary: 'Begin a sign-in to a remote server; a person completes it in the browser',
    body: signInSchema,
    answer: signInStartedSchema,
  },
  'POST /api/accounts/:name/sign-out': {
    summary: 'Revoke and forget the credentials at a remote server',
    answer: signedOutSchema,
  },

  'GET /api/runtimes': { summary: 'The PATH that servers get, and the runtimes in it', answer: runtimesSchema },
  'POST /api/runtimes/refresh': { summary: 'Read the PATH of the login shell again', answer: runtimesSchema },
} as const satisfies OperationTable
