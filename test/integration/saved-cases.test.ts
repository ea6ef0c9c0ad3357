import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AuditEntry, Problem, SaveCase, SavedCase, SavedCaseDetail } from '../../hub/contract/index.ts'
import { caseLimits } from '../../hub/contract/index.ts'
import { fixtureServer, startHub, TOKEN, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask, person, tokenOf } from '../fixtures/people.ts'

let hub: TestHub
let ann = ''
let bob = ''
beforeAll(async () => {
  hub = await startHub(
    { one: fixtureServer('echo.ts') },
    { auth: { bcryptRounds: 10 } },
    { users: [person('ann'), person('bob'), person('olga', 'operator')] },
  )
  await hub.until('one', 'running')
  ;[ann, bob] = await Promise.all([tokenOf(hub, 'ann'), tokenOf(hub, 'bob')])
})
afterAll(() => hub.close())

const echo = { method: 'tools/call', server: 'one', target: 'echo' } as const
const save = (token: string, body: Partial<SaveCase>): ReturnType<typeof ask<SavedCaseDetail & Problem>> =>
  ask(hub, 'POST /api/cases', { token, body: { ...echo, arguments: '{"text":"x"}', ...body } })
const list = async (token: string, query = ''): Promise<SavedCase[]> =>
  (await ask<SavedCase[]>(hub, `GET /api/cases${query}`, { token })).body
const file = (): string => path.join(hub.dataDir, 'saved-cases.json')

describe('a saved case', () => {
  it('is there for everybody who may make the call, as it was typed, and outlasts the hub', async () => {
    // A number that a double cannot hold, and the layout of the text.
    const text = '{\n  "text": "hello",\n  "n": 12345678901234567890\n}'
    const made = await save(ann, { name: 'big', arguments: text, expected: '{"content":[]}' })
    expect(made).toMatchObject({ status: 201, body: { savedBy: 'ann', editable: true, hasExpected: true } })
    const found = await list(bob, '?method=tools%2Fcall&server=one&target=echo')
    expect(found).toEqual([expect.objectContaining({ id: made.body.id, name: 'big', editable: false })])
    expect(found[0]).not.toHaveProperty('arguments')
    const { body } = await ask<SavedCaseDetail>(hub, `GET /api/cases/${made.body.id}`, { token: bob })
    expect(body).toMatchObject({ arguments: text, expected: '{"content":[]}' })
    expect(await list(bob, '?server=other')).toEqual([])
    expect(await readFile(file(), 'utf8')).toContain('12345678901234567890')
  })

  it('is renamed, overwritten and deleted by who saved it, and by who writes profiles', async () => {
    const { id } = (await save(ann, { name: 'mine' })).body
    const edit = (token: string, body: object): ReturnType<typeof ask<SavedCaseDetail & Problem>> =>
      ask(hub, `PUT /api/cases/${id}`, { token, body })
    expect(await edit(bob, { name: 'taken' })).toMatchObject({ status: 403, body: { code: 'HUB_FORBIDDEN' } })
    expect(await ask(hub, `DELETE /api/cases/${id}`, { token: bob })).toMatchObject({ status: 403 })
    expect((await edit(ann, { name: 'renamed' })).body).toMatchObject({ name: 'renamed', arguments: '{"text":"x"}' })
    const olga = await tokenOf(hub, 'olga')
    expect((await edit(olga, { arguments: '{"text":"y"}', expected: '1' })).body).toMatchObject({
      name: 'renamed',
      arguments: '{"text":"y"}',
      expected: '1',
      savedBy: 'ann',
    })
    expect((await edit(ann, { expected: null })).body.expected).toBe(null)
    expect((await ask(hub, `DELETE /api/cases/${id}`, { token: ann })).status).toBe(204)
    expect(await ask(hub, `GET /api/cases/${id}`, { token: ann })).toMatchObject({
      status: 404,
      body: { code: 'HUB_CASE_NOT_FOUND' },
    })
  })

  it('has a name that no other case of the call has', async () => {
    await save(ann, { name: 'twice' })
    expect(await save(bob, { name: 'twice' })).toMatchObject({ status: 409, body: { code: 'HUB_NAME_COLLISION' } })
    // A prompt of the same name is another call.
    expect((await save(bob, { name: 'twice', method: 'prompts/get' })).status).toBe(201)
  })

  it('follows its server to another name, beside what a server of that name has left there', async () => {
    const rename = async (from: string, to: string): Promise<void> => {
      const body = { name: to, config: fixtureServer('echo.ts') }
      expect((await ask(hub, `PUT /api/servers/${from}`, { token: TOKEN, body })).status).toBe(200)
      await hub.until(to, 'running')
    }
    const namesAt = async (server: string): Promise<string[]> =>
      (await list(ann, `?server=${server}&target=follow`)).map(({ name }) => name)
    const long = 'n'.repeat(caseLimits.nameLength)
    const { id } = (await save(ann, { name: 'same', target: 'follow', arguments: '{"text":"follows"}' })).body
    await save(bob, { name: long, target: 'follow' })
    for (const name of ['same', 'same (2)', long]) await save(bob, { name, target: 'follow', server: 'two' })
    await rename('one', 'two')
    expect(await namesAt('one')).toEqual([])
    const numbered = `${'n'.repeat(caseLimits.nameLength - 4)} (2)`
    expect((await namesAt('two')).toSorted()).toEqual([long, numbered, 'same', 'same (2)', 'same (3)'].toSorted())
    const { body } = await ask<SavedCaseDetail>(hub, `GET /api/cases/${id}`, { token: bob })
    expect(body).toMatchObject({ server: 'two', name: 'same (3)', arguments: '{"text":"follows"}', savedBy: 'ann' })
    await rename('two', 'one')
    expect(await namesAt('two')).toEqual([])
    expect(await namesAt('one')).toHaveLength(5)
  })

  it('is found again once its server or tool was renamed by hand, and moved to the call that it is of now', async () => {
    const gone = async (token: string): Promise<string[]> =>
      (await list(token, '?method=tools%2Fcall&gone=true&target=lost')).map(({ name }) => name)
    const saved = { target: 'lost', arguments: '{"text":"found"}' }
    const { id } = (await save(ann, { ...saved, name: 'found' })).body
    const other = (await save(bob, { ...saved, name: 'elsewhere', server: 'no-such-server' })).body
    expect((await gone(ann)).toSorted()).toEqual(['elsewhere', 'found'])
    const ofEcho = await list(ann, '?server=one&target=echo&method=tools%2Fcall')
    expect(ofEcho.length).toBeGreaterThan(0)
    const allGone = await list(ann, '?gone=true')
    expect(allGone.filter((one) => ofEcho.some((kept) => kept.id === one.id))).toEqual([])

    await save(bob, { name: 'found' })
    const move = (token: string, to: object): ReturnType<typeof ask<SavedCaseDetail & Problem>> =>
      ask(hub, `PUT /api/cases/${id}`, { token, body: to })
    expect((await move(bob, { target: 'echo' })).status).toBe(403)
    const moved = await move(ann, { target: 'echo' })
    expect(moved.body).toMatchObject({
      server: 'one',
      target: 'echo',
      name: 'found (2)',
      arguments: '{"text":"found"}',
    })
    expect(await gone(ann)).toEqual(['elsewhere'])
    // Nor to a call that the caller may not make.
    const { secret } = (await addKey(hub, TOKEN, { permissions: ['tools:call'], scope: { servers: ['one'] } })).body
    const own = (await save(secret, { name: 'of the key' })).body
    const beyond = await ask(hub, `PUT /api/cases/${own.id}`, { token: secret, body: { server: 'two' } })
    expect(beyond).toMatchObject({ status: 404, body: { code: 'HUB_SERVER_NOT_FOUND' } })
    expect((await ask(hub, `DELETE /api/cases/${other.id}`, { token: bob })).status).toBe(204)
  })

  it('is not for who may not call, nor for who is narrowed to other servers or tools', async () => {
    expect((await ask(hub, 'GET /api/cases', { token: VIEWER_TOKEN })).status).toBe(403)
    const { id } = (await save(ann, { name: 'scoped' })).body
    const permissions = ['tools:call'] as const
    for (const scope of [{ servers: ['two'] }, { servers: ['one'], tools: ['one/add'] }]) {
      const { secret } = (await addKey(hub, TOKEN, { permissions: [...permissions], scope })).body
      expect(await list(secret, '?method=tools%2Fcall')).toEqual([])
      expect((await ask(hub, `GET /api/cases/${id}`, { token: secret })).status).toBe(404)
      expect((await ask(hub, `DELETE /api/cases/${id}`, { token: secret })).status).toBe(404)
      expect((await save(secret, { name: 'beyond' })).status).toBe(404)
    }
    const { secret } = (await addKey(hub, TOKEN, { permissions: [...permissions], scope: { servers: ['one'] } })).body
    expect((await list(secret)).map(({ name }) => name)).toContain('scoped')
  })
})

describe('what is refused', () => {
  it.each([
    ['no JSON', { arguments: '{' }],
    ['no object', { arguments: '[]' }],
    ['too large', { arguments: JSON.stringify({ text: 'x'.repeat(caseLimits.argumentsLength) }) }],
    ['a result that is too large', { expected: JSON.stringify('x'.repeat(caseLimits.expectedLength)) }],
    ['a method that is no call', { method: 'tools/list' as never }],
  ])('%s', async (_what, body) => {
    expect(await save(ann, { name: 'bad', ...body })).toMatchObject({ status: 400, body: { code: 'HUB_BAD_REQUEST' } })
  })

  it('what looks like a secret, unless it is said to be none; and never a value of the vault', async () => {
    const suspicious = { name: 'secret', arguments: '{"auth":{"api_key":"k3y-that-opens"}}' }
    const refused = await save(ann, suspicious)
    expect(refused).toMatchObject({ status: 409, body: { code: 'HUB_SECRET_SUSPECTED' } })
    expect(refused.body.faults?.map((fault) => fault.path)).toEqual(['arguments/auth/api_key'])
    expect((await save(ann, { ...suspicious, acceptSecrets: true })).status).toBe(201)
    const inResult = { name: 'result', expected: '{"content":[{"text":"ghp_0123456789abcdefghij"}]}' }
    expect((await save(ann, inResult)).body.faults?.[0]?.path).toBe('expected/content/0/text')
    const known = { name: 'known', arguments: '{"text":"value-of-the-known-secret"}', acceptSecrets: true }
    expect(await save(ann, known)).toMatchObject({ status: 400 })
    expect(await readFile(file(), 'utf8')).not.toContain('value-of-the-known-secret')
  })

  it('more cases of one call than there may be, also of those that come at once', async () => {
    const many = Array.from({ length: caseLimits.each + 2 }, (_, index) =>
      save(ann, { name: `case ${index}`, target: 'crowded' }),
    )
    const statuses = (await Promise.all(many)).map(({ status }) => status)
    expect(statuses.filter((status) => status === 201)).toHaveLength(caseLimits.each)
    expect(statuses.filter((status) => status === 409)).toHaveLength(2)
    expect(await list(ann, '?target=crowded')).toHaveLength(caseLimits.each)
  })
})

it('the audit log names a saved case and not what it holds', async () => {
  await save(ann, { name: 'audited', arguments: '{"text":"what-nobody-else-sees"}' })
  const find = async (): Promise<AuditEntry | undefined> =>
    ((await hub.api('GET', '/api/audit?q=audited')).body as { items: AuditEntry[] }).items[0]
  await expect.poll(async () => (await find())?.action, { timeout: 10_000 }).toBe('POST /api/cases')
  expect(JSON.stringify(await find())).not.toContain('what-nobody-else-sees')
})

it('a broken file is told with its cure, and nothing is written over it', async () => {
  const before = await readFile(file(), 'utf8')
  await writeFile(file(), '{"version":1,"cases":[{}]}')
  for (const answer of [await ask(hub, 'GET /api/cases', { token: ann }), await save(ann, { name: 'lost' })])
    expect(answer).toMatchObject({ status: 409, body: { code: 'HUB_CONFIG_FILE_BROKEN' } })
  expect(await readFile(file(), 'utf8')).toBe('{"version":1,"cases":[{}]}')
  await writeFile(file(), before)
  expect(await list(ann)).not.toEqual([])
})
