import { expect, it } from 'vitest'
import { unusedScopes } from '../../hub/auth/unused-scopes.ts'
import type { Key, Scope, User } from '../../hub/contract/index.ts'
import type { Use } from '../../hub/history/store.ts'

const FROM = 1_000
const user = (name: string, scope: Scope | null, more: Partial<User> = {}): User =>
  ({ name, scope, createdAt: 1, disabled: false, ...more }) as User
const key = (id: string, owner: string | null, scope: Scope | null): Key =>
  ({ id, name: `key ${id}`, owner, scope, createdAt: 1 }) as Key
const use = (principal: string, endpoint: string, server: string | null, tool: string | null = null): Use => ({
  principal,
  endpoint,
  server,
  tool,
})
const unusedOf = (users: User[], keys: Key[], uses: Use[]): (string | Scope)[][] =>
  unusedScopes(users, keys, uses, FROM).map(({ kind, id, unused }) => [`${kind} ${id}`, unused])

it('names the servers, profiles and tools of a scope that nobody used, as the scope names them', () => {
  const scope = { servers: ['github', 'files-*', 'never'], profiles: ['dev', 'ops'], tools: ['github/*', 'never/x'] }
  const uses = [
    use('user:ann', '/mcp', 'github', 'create_issue'),
    use('user:ann', '/mcp/files-a', 'files-a'),
    use('user:ann', '/mcp/dev', 'other', 'y'),
    use('user:bob', '/mcp', 'never', 'x'),
  ]
  expect(unusedOf([user('ann', scope)], [], uses)).toEqual([
    ['user ann', { servers: ['never'], profiles: ['ops'], tools: ['never/x'] }],
  ])
})

it('does not take a server that was reached by a profile for one that was reached by its name', () => {
  const uses = [use('key:1', '/mcp/dev', 'github', 'x')]
  expect(unusedOf([], [key('1', null, { servers: ['github'], profiles: ['dev'] })], uses)).toEqual([
    ['key 1', { servers: ['github'] }],
  ])
})

it('counts what a user’s own keys did for the user, and not the other way round', () => {
  const scope = { servers: ['github'] }
  const [users, keys] = [[user('ann', scope)], [key('1', 'ann', scope), key('2', 'ann', scope)]]
  expect(unusedOf(users, keys, [use('key:1', '/mcp', 'github')])).toEqual([['key 2', scope]])
})

it('leaves out who has no scope, cannot sign in, or is younger than what is known', () => {
  const scope = { servers: ['github'] }
  const users = [user('all', null), user('off', scope, { disabled: true }), user('new', scope, { createdAt: FROM + 1 })]
  expect(unusedOf(users, [], [])).toEqual([])
})
