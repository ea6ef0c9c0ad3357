import type { Key, UnusedGrant, User } from '../contract/index.ts'

const DAY_MS = 86_400_000

/**
 * Users who can sign in, and keys that open something, which nobody used for so many days, the longest unused first. What was made
 * later than that had no chance yet. A user is there who has not signed in nor used a key of their own.
 */
export function unusedGrants(users: readonly User[], keys: readonly Key[], days: number, now: number): UnusedGrant[] {
  const since = now - days * DAY_MS
  const disabled = new Set(users.filter((user) => user.disabled).map(({ name }) => name))
  const newest = (owner: string): number =>
    Math.max(0, ...keys.filter((key) => key.owner === owner).map(({ lastUsedAt }) => lastUsedAt ?? 0))
  const found: UnusedGrant[] = [
    ...users
      .filter((user) => !user.disabled)
      .map(({ name, role, scope, lastSeenAt, createdAt }) => ({
        kind: 'user' as const,
        id: name,
        name,
        owner: null,
        role,
        scope,
        createdAt,
        lastUsedAt: Math.max(lastSeenAt ?? 0, newest(name)) || null,
      })),
    ...keys
      .filter(({ purpose, owner }) => purpose !== 'enrolment' && (owner === null || !disabled.has(owner)))
      .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
      .map(({ id, name, owner, scope, createdAt, lastUsedAt }) => ({
        kind: 'key' as const,
        id,
        name,
        owner,
        role: null,
        scope,
        createdAt,
        lastUsedAt,
      })),
  ]
  const lastOf = ({ lastUsedAt, createdAt }: UnusedGrant): number => Math.max(lastUsedAt ?? 0, createdAt ?? 0)
  return found.filter((grant) => lastOf(grant) < since).sort((a, b) => lastOf(a) - lastOf(b))
}
