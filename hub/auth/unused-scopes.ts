import type { Key, Scope, UnusedScope, User } from '../contract/index.ts'
import type { Use } from '../history/store.ts'
import { matchesPattern } from './scope.ts'

/**
 * What users and keys may reach by name and did not since `from`: servers, profiles and tools, as the scope names them. A grant that
 * is younger had no chance yet. What a user's own keys did counts for the user.
 */
export function unusedScopes(
  users: readonly User[],
  keys: readonly Key[],
  uses: readonly Use[],
  from: number,
): UnusedScope[] {
  const byPrincipal = Map.groupBy(uses, ({ principal }) => principal)
  const usesOf = (principals: readonly string[]): Use[] => principals.flatMap((name) => byPrincipal.get(name) ?? [])
  const grants = [
    ...users
      .filter(({ disabled }) => !disabled)
      .map(({ name, scope, createdAt }) => {
        const own = keys.filter(({ owner }) => owner === name).map(({ id }) => `key:${id}`)
        return {
          kind: 'user' as const,
          id: name,
          name,
          owner: null,
          scope,
          createdAt,
          uses: usesOf([`user:${name}`, ...own]),
        }
      }),
    ...keys.map(({ id, name, owner, scope, createdAt }) => {
      return { kind: 'key' as const, id, name, owner, scope, createdAt, uses: usesOf([`key:${id}`]) }
    }),
  ]
  return grants.flatMap(({ scope, createdAt, uses: own, ...grant }) => {
    if (scope === null || (createdAt ?? 0) > from) return []
    const unused = unusedPart(scope, own)
    return Object.keys(unused).length === 0 ? [] : [{ ...grant, unused }]
  })
}

function unusedPart(scope: Scope, uses: readonly Use[]): Scope {
  const profileOf = ({ endpoint, server }: Use): string | null => {
    const name = endpoint.startsWith('/mcp/') ? endpoint.slice('/mcp/'.length) : null
    return name === server ? null : name
  }
  const names = {
    // On a profile's endpoint a server is reached by the profile.
    servers: uses.flatMap((use) => (profileOf(use) === null ? (use.server ?? []) : [])),
    profiles: uses.flatMap((use) => profileOf(use) ?? []),
    tools: uses.flatMap(({ server, tool }) => (server === null || tool === null ? [] : `${server}/${tool}`)),
  }
  const unused: Scope = {}
  for (const part of ['servers', 'profiles', 'tools'] as const) {
    const patterns = scope[part]?.filter((pattern) => !names[part].some((name) => matchesPattern(pattern, name))) ?? []
    if (patterns.length > 0) unused[part] = patterns
  }
  return unused
}
