import { z } from 'zod'
import {
  changePasswordSchema,
  createKeySchema,
  createUserSchema,
  createdKeySchema,
  createdUserSchema,
  editKeySchema,
  editUserSchema,
  keySchema,
  loginSchema,
  meSchema,
  refreshSchema,
  resetPasswordSchema,
  roleInfoSchema,
  sessionInfoSchema,
  sessionSchema,
  sessionsQuerySchema,
  setupSchema,
  unusedGrantSchema,
  unusedQuerySchema,
  unusedScopesSchema,
  userSchema,
} from '../auth.ts'
import type { OperationTable } from './operation.ts'

/** Signing in, users, their sessions and keys. */
export const accessOperations = {
  'GET /api/auth/me': { summary: 'Who asks, and which door to show', answer: meSchema },
  'POST /api/auth/login': { summary: 'Sign in with a password', body: loginSchema, answer: sessionSchema },
  'POST /api/auth/setup': {
    summary: 'Create the first administrator with the one-time code',
    body: setupSchema,
    answer: sessionSchema,
  },
  'POST /api/auth/refresh': {
    summary: 'Exchange the refresh token for new tokens; each is good once',
    body: refreshSchema,
    answer: sessionSchema,
  },
  'POST /api/auth/logout': {
    summary: 'End the session that the access token, the cookie or the refresh token belongs to',
    body: refreshSchema,
  },
  'POST /api/auth/password': {
    summary: 'Change one’s own password; every other session ends',
    body: changePasswordSchema,
    answer: sessionSchema,
  },

  'GET /api/roles': { summary: 'What each role may do', answer: z.array(roleInfoSchema) },
  'GET /api/users': { summary: 'All users', answer: z.array(userSchema) },
  'POST /api/users': { summary: 'Add a user', body: createUserSchema, answer: createdUserSchema, status: 201 },
  'GET /api/users/:name': { summary: 'One user', answer: userSchema },
  'PUT /api/users/:name': {
    summary: 'Change role, scope or state; the user’s sessions end',
    body: editUserSchema,
    answer: userSchema,
  },
  'DELETE /api/users/:name': { summary: 'Remove a user with their keys and sessions' },
  'POST /api/users/:name/password': {
    summary: 'Set another password, which the user must change',
    body: resetPasswordSchema,
    answer: createdUserSchema,
  },
  'POST /api/users/:name/unlock': { summary: 'Let a locked name sign in again', answer: userSchema },
  'POST /api/users/:name/sign-out': {
    summary: 'End all sessions of a user',
    answer: z.object({ ended: z.number().int() }),
  },

  'GET /api/sessions': {
    summary: 'One’s own sessions; for who manages users everybody’s, unless ?user=me',
    query: sessionsQuerySchema,
    answer: z.array(sessionInfoSchema),
  },
  'DELETE /api/sessions/:id': { summary: 'End a session' },

  'GET /api/access/unused': {
    summary: 'Users and keys that nobody used for so many days, the longest unused first',
    query: unusedQuerySchema,
    answer: z.array(unusedGrantSchema),
  },
  'GET /api/access/unused-scopes': {
    summary:
      'Servers, profiles and tools that users and keys may reach by name and did not, as far as the history goes back',
    query: unusedQuerySchema,
    answer: unusedScopesSchema,
  },

  'GET /api/keys': { summary: 'One’s own keys; for who manages keys everybody’s', answer: z.array(keySchema) },
  'POST /api/keys': {
    summary: 'Make a key; its secret is in this answer and nowhere else',
    body: createKeySchema,
    answer: createdKeySchema,
    status: 201,
  },
  'PUT /api/keys/:id': {
    summary: 'Change name, scope, end or tool search of a key',
    body: editKeySchema,
    answer: keySchema,
  },
  'DELETE /api/keys/:id': { summary: 'Delete a key' },
} as const satisfies OperationTable
