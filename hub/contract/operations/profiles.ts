import { z } from 'zod'
import {
  profilePreviewQuerySchema,
  profilePreviewSchema,
  profileSchema,
  profileSummarySchema,
  saveProfileSchema,
} from '../profiles.ts'
import type { OperationTable } from './operation.ts'

/** Named sets of what clients get. */
export const profilesOperations = {
  'GET /api/profiles': { summary: 'All profiles with what they cost', answer: z.array(profileSummarySchema) },
  'POST /api/profiles/preview': {
    summary: 'What clients of a profile would get; saves nothing',
    body: profileSchema,
    query: profilePreviewQuerySchema,
    answer: profilePreviewSchema,
  },
  'GET /api/profiles/:name': { summary: 'One profile', answer: profileSummarySchema },
  'GET /api/profiles/:name/preview': { summary: 'Exactly what its clients get', answer: profilePreviewSchema },
  'PUT /api/profiles/:name': {
    summary: 'Create, replace or rename a profile',
    body: saveProfileSchema,
    answer: profileSummarySchema,
  },
  'DELETE /api/profiles/:name': { summary: 'Remove a profile' },
} as const satisfies OperationTable
