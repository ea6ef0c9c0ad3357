import { z } from 'zod'
import { say, saidOfIssue, type Said } from './say.ts'

/** That a file cannot be used, and why: by `JSON.parse`, or by its schema at the first place where it is wrong. */
export function brokenFile(file: string, error: unknown): Said {
  const issue = error instanceof z.ZodError ? error.issues[0] : undefined
  if (issue !== undefined && issue.path.length > 0)
    return say`${file} is broken at ${issue.path.join('.')}: ${saidOfIssue(issue)}`
  return say`${file} is broken: ${saidOfIssue(issue ?? { message: error instanceof Error ? error.message : String(error) })}`
}
