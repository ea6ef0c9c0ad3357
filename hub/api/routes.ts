import type { Request, Response } from 'express'
import type { z } from 'zod'
import type { Caller } from '../auth/tokens.ts'
import { HubError } from '../hub-error.ts'

/** The caller that the guard found; every route below /api but the open ones has one. */
export function callerOf(response: Response): Caller {
  const caller = response.locals['caller'] as Caller | undefined
  if (caller === undefined) throw new HubError('HUB_UNAUTHENTICATED', 'Sign in first')
  return caller
}

/** The body as a schema has it; what is wrong is told field by field. */
export function bodyOf<S extends z.ZodType>(request: Request, schema: S): z.infer<S> {
  const result = schema.safeParse(request.body ?? {})
  if (result.success) return result.data
  const faults = result.error.issues.map((issue) => ({
    file: null,
    path: issue.path.join('.'),
    line: null,
    column: null,
    message: issue.code === 'unrecognized_keys' ? `Unknown key ${issue.keys.join(', ')}` : issue.message,
    cure: 'Correct the value.',
  }))
  const [first] = faults
  throw new HubError(
    'HUB_BAD_REQUEST',
    first === undefined ? 'The body is not valid' : `${first.path === '' ? 'body' : first.path}: ${first.message}`,
    { faults },
  )
}

export function nameParam(request: Request): string {
  return String(request.params['name'] ?? '')
}
