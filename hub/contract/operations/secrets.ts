import { deleteSecretQuerySchema, secretsSchema, setSecretResultSchema, setSecretSchema } from '../secrets.ts'
import type { OperationTable } from './operation.ts'

/** The vault. */
export const secretsOperations = {
  'GET /api/secrets': { summary: 'Names of the secrets, and what uses them', answer: secretsSchema },
  'PUT /api/secrets/:name': {
    summary: 'Keep a value; the servers that use it are started anew',
    body: setSecretSchema,
    answer: setSecretResultSchema,
  },
  'DELETE /api/secrets/:name': {
    summary: 'Forget a secret; with force although servers need it',
    query: deleteSecretQuerySchema,
  },
} as const satisfies OperationTable
