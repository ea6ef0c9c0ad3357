import type { Scope } from '../contract/index.ts'

/** What a caller is narrowed to: every one of these scopes must allow it. None is no limit. */
export type Scopes = readonly Scope[]

const compiled = new WeakMap<readonly string[], (name: string) => boolean>()

function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  const known = compiled.get(patterns)
  if (known !== undefined) return known
  const exact = new Set(patterns.filter((pattern) => !pattern.includes('*')))
  // `*` is the only special character, and two of them are joined: no pattern can take long.
  const wild = patterns
    .filter((pattern) => pattern.includes('*'))
    .map((pattern) => pattern.replace(/\*+/g, '*').split('*'))
  const matcher = (name: string): boolean => exact.has(name) || wild.some((parts) => matches(parts, name))
  compiled.set(patterns, matcher)
  return matcher
}

/** Whether the text is these parts with anything between them; each is taken at its first place, which is always right. */
function matches(parts: readonly string[], text: string): boolean {
  const first = parts[0] ?? ''
  const last = parts.at(-1) ?? ''
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last)) return false
  let at = first.length
  const end = text.length - last.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at)
    if (found === -1 || found + part.length > end) return false
    at = found + part.length
  }
  return at <= end
}

/** Whether a name is meant by one pattern of a scope. */
export const matchesPattern = (pattern: string, name: string): boolean =>
  pattern.includes('*') ? matches(pattern.replace(/\*+/g, '*').split('*'), name) : pattern === name

const allows = (patterns: readonly string[] | undefined, name: string): boolean =>
  patterns !== undefined && matcherOf(patterns)(name)

/** Whether both let the same be seen, as they are written. */
export function sameScopes(one: Scopes, other: Scopes): boolean {
  return one === other || one.length + other.length === 0 || JSON.stringify(one) === JSON.stringify(other)
}

export function serverInScope(scopes: Scopes, server: string): boolean {
  return scopes.every((scope) => allows(scope.servers, server))
}

export function profileInScope(scopes: Scopes, profile: string): boolean {
  return scopes.every((scope) => allows(scope.profiles, profile))
}

/** Of a server or profile that is in scope. */
export function toolInScope(scopes: Scopes, server: string, tool: string): boolean {
  return scopes.every((scope) => scope.tools === undefined || allows(scope.tools, `${server}/${tool}`))
}
