import { createHash } from 'node:crypto'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'

/** The ETag (RFC 9110, section 8.8.3) of a part of the configuration: the same for what says the same, however it is laid out. */
export function entityTag(value: unknown): string {
  const text = JSON.stringify(value, sorted)
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
}

/** What is in memory may have its keys in another order than the file has them by now. */
const sorted = (_key: string, part: unknown): unknown =>
  typeof part === 'object' && part !== null && !Array.isArray(part)
    ? Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : part

/**
 * Holds `If-Match` (RFC 9110, section 13.1.1) against what is there now, null for nothing; without the header everything
 * matches. Throws HUB_CHANGED_MEANWHILE, 412.
 */
export function checkIfMatch(ifMatch: string | undefined, present: unknown): void {
  if (ifMatch === undefined) return
  const tags = ifMatch.split(',').map((tag) => tag.trim())
  const there = present !== null && present !== undefined
  if (there && (tags.includes('*') || tags.includes(entityTag(present)))) return
  throw new HubError('HUB_CHANGED_MEANWHILE', say`Somebody else changed it since it was read, so nothing was saved`, {
    cure: say`Read it again, and repeat the change on what is there now.`,
  })
}
