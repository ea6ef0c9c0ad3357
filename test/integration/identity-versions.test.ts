import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { keptVersions } from '../../hub/auth/identity-versions.ts'
import type { IdentityChange, IdentityVersion } from '../../hub/contract/index.ts'
import { startHub, TOKEN, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask, login, PASSWORD, person } from '../fixtures/people.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({}, { auth: { bcryptRounds: 10 } }, { users: [person('root', 'admin'), person('ann')] })
})
afterAll(() => hub.close())

const ROUTE = '/api/config/users/versions'
const versions = async (): Promise<IdentityVersion[]> =>
  (await ask<{ versions: IdentityVersion[] }>(hub, `GET ${ROUTE}`, { token: TOKEN })).body.versions
const differences = async (id: number): Promise<IdentityChange[]> =>
  (await ask<{ differences: IdentityChange[] }>(hub, `GET ${ROUTE}/${id}`, { token: TOKEN })).body.differences
const restore = (id: number) => ask(hub, `POST ${ROUTE}/${id}/restore`, { token: TOKEN, body: {} })

describe('versions of users and keys', () => {
  it.each(['', 'x', 'null', '{}', '[]', '{"versions":[{}]}'])('are none in a file that holds %j', (text) => {
    expect(keptVersions(text)).toEqual([])
  })

  it('tell who did what to whom, and no hash', async () => {
    expect(await versions()).toEqual([])
    await ask(hub, 'POST /api/users', { token: TOKEN, body: { name: 'bob', role: 'user', password: PASSWORD } })
    await ask(hub, 'PUT /api/users/ann', { token: TOKEN, body: { role: 'operator' } })
    await ask(hub, 'POST /api/users/ann/password', { token: TOKEN, body: { password: `${PASSWORD} two` } })
    const kept = await versions()
    expect(kept.map(({ id, by, reason, changes }) => ({ id, by, reason, changes }))).toEqual([
      {
        id: 4,
        by: 'MCP_HUB_TOKEN',
        reason: 'user.password',
        changes: [
          {
            list: 'users',
            id: 'ann',
            kind: 'changed',
            fields: ['password', 'mustChangePassword', 'passwordChangedAt'],
          },
        ],
      },
      {
        id: 3,
        by: 'MCP_HUB_TOKEN',
        reason: 'user.change',
        changes: [{ list: 'users', id: 'ann', kind: 'changed', fields: ['role'] }],
      },
      {
        id: 2,
        by: 'MCP_HUB_TOKEN',
        reason: 'user.create',
        changes: [{ list: 'users', id: 'bob', kind: 'added', fields: [] }],
      },
      { id: 1, by: null, reason: null, changes: [] },
    ])
    expect(JSON.stringify([kept, await differences(1)])).not.toContain('$2b$')
    expect((await stat(path.join(hub.dataDir, 'user-versions.json'))).mode & 0o777).toBe(0o600)
  })

  it('keep what was done by hand, as nobody’s', async () => {
    const file = path.join(hub.configDir, 'users.json')
    await writeFile(file, `// by hand\n${await readFile(file, 'utf8')}`.replace('"operator"', '"viewer"'))
    await expect
      .poll(async () => (await versions())[0], { timeout: 10_000 })
      .toMatchObject({
        by: null,
        changes: [{ id: 'ann', fields: ['role'] }],
      })
  })

  it('can be gone back to: passwords that are others must be changed, and deleted keys stay deleted', async () => {
    const key = await addKey(hub, TOKEN, { name: 'leaked' })
    const withKey = (await versions())[0]?.id ?? 0
    await ask(hub, `DELETE /api/keys/${key.body.id}`, { token: TOKEN })
    await ask(hub, 'DELETE /api/users/bob', { token: TOKEN })
    const { body: session } = await login(hub, 'ann', `${PASSWORD} two`)
    expect(await differences(withKey)).toEqual([{ list: 'users', id: 'bob', kind: 'added', fields: [] }])
    expect((await restore(1)).status).toBe(200)

    expect((await ask(hub, 'GET /api/users/bob', { token: TOKEN })).status).toBe(404)
    expect((await ask(hub, 'GET /api/auth/me', { token: session.accessToken })).body).toMatchObject({ user: null })
    expect((await login(hub, 'ann')).body).toMatchObject({ mustChangePassword: true, user: { role: 'user' } })
    expect((await versions())[0]).toMatchObject({
      by: 'MCP_HUB_TOKEN',
      reason: 'Back to version 1',
      said: { reason: { code: 'Back to version {0}', params: ['1'] } },
    })

    expect((await restore(withKey)).status).toBe(200)
    expect((await ask(hub, 'GET /api/users/bob', { token: TOKEN })).status).toBe(200)
    expect((await ask(hub, 'GET /api/hub', { token: key.body.secret })).status).toBe(401)
  })

  it('do not leave the hub without an administrator, and are there for who manages users only', async () => {
    expect((await restore(999)).body.code).toBe('HUB_VERSION_NOT_FOUND')
    const file = path.join(hub.configDir, 'users.json')
    const before = await readFile(file, 'utf8')
    await writeFile(file, JSON.stringify({ users: [person('ann')] }))
    await expect.poll(async () => (await versions())[0]?.by, { timeout: 10_000 }).toBeNull()
    const without = (await versions())[0]?.id ?? 0
    await writeFile(file, before)
    await expect.poll(async () => (await versions())[0]?.id, { timeout: 10_000 }).toBe(without + 1)
    expect((await restore(without)).body.code).toBe('HUB_LAST_ADMIN')
    expect(await readFile(file, 'utf8')).toBe(before)
    const { body } = await login(hub, 'root')
    expect((await ask(hub, `GET ${ROUTE}`, { token: body.accessToken })).status).toBe(200)
    expect((await ask(hub, `GET ${ROUTE}`, { token: VIEWER_TOKEN })).status).toBe(403)
  })
})
