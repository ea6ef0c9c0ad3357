import { once } from 'node:events'
import { afterAll, beforeAll, expect, it } from 'vitest'
import pg from 'pg'
import type { AuditPage, PortableConfig, PushResult, PushStatus, ServerStatus } from '../../hub/contract/index.ts'
import { startBuiltHub, type BuiltHub } from '../fixtures/built-hub.ts'
import { fixtureServer } from '../fixtures/hub.ts'
import { startPostgres, type TestPostgres } from '../fixtures/postgres.ts'
import { waitFor } from '../fixtures/wire.ts'

/** Two hubs, as they are published, with one PostgreSQL. */
let postgres: TestPostgres
let db: pg.Client
let one: BuiltHub
let two: BuiltHub

beforeAll(async () => {
  postgres = await startPostgres()
  db = new pg.Client(postgres.url)
  await db.connect()
  const start = (): Promise<BuiltHub> =>
    startBuiltHub({
      servers: { echo: fixtureServer('echo.ts') },
      system: { server: { pushWatchMs: 1_500 } },
      env: { DATABASE_URL: postgres.url },
    })
  one = await start()
  two = await start()
  for (const hub of [one, two]) await until(hub, 'running')
}, 60_000)
afterAll(async () => {
  await db.end()
  await one.dispose()
  await two.end()
  await postgres.stop()
}, 60_000)

const get = async <T>(hub: BuiltHub, route: string): Promise<T> => (await (await hub.request(route)).json()) as T
const until = (hub: BuiltHub, state: string): Promise<true> =>
  waitFor(async () => (await get<ServerStatus[]>(hub, '/api/servers'))[0]?.state === state || undefined, 20_000)
async function push(hub: BuiltHub, body: object): Promise<string> {
  const { etag } = await get<PortableConfig>(hub, '/api/admin/config')
  const answer = await hub.request('/api/admin/config', { method: 'PUT', body, headers: { 'if-match': etag } })
  const { push: begun } = (await answer.json()) as PushResult
  expect([answer.status, begun]).toEqual([200, expect.anything()])
  return begun?.id ?? ''
}
const decided = (hub: BuiltHub, id: string): Promise<PushStatus> =>
  waitFor(async () => {
    const push = await get<PushStatus>(hub, `/api/admin/config/pushes/${id}`)
    return push.state === 'watching' ? undefined : push
  }, 30_000)

it('a push under which the hub gets unready is taken back by itself, with the reason', async () => {
  const before = await get<PortableConfig>(one, '/api/admin/config')
  await get(one, '/api/audit')
  // The hub can keep no more acts, which is when it asks for no work.
  await db.query('ALTER TABLE hub_audit RENAME TO hub_audit_away')
  const id = await push(one, { profiles: { profiles: { team: { servers: { echo: {} } } } }, reason: 'for the team' })
  await waitFor(async () => ((await one.request('/health/ready')).status === 503 ? true : undefined), 20_000)
  const outcome = await decided(one, id)
  await db.query('ALTER TABLE hub_audit_away RENAME TO hub_audit')
  expect(outcome).toMatchObject({
    state: 'reverted',
    reason: 'for the team',
    failures: [{ server: null, message: expect.stringContaining('hub_audit') as string }],
  })
  expect((await get<PortableConfig>(one, '/api/admin/config')).profiles).toEqual(before.profiles)
  const act = await waitFor(
    async () => (await get<AuditPage>(one, '/api/audit')).items.find(({ action }) => action === 'config.push-reverted'),
    20_000,
  )
  expect(JSON.stringify(act)).toContain('hub_audit')
}, 60_000)

it('what a hub watched when it was killed is finished by another, once', async () => {
  const before = await get<PortableConfig>(two, '/api/admin/config')
  const id = await push(one, { servers: { mcpServers: { echo: fixtureServer('there-is-no-such-file.ts') } } })
  // Nobody else may push meanwhile, wherever.
  const { etag } = await waitFor(async () => {
    const now = await get<PortableConfig>(two, '/api/admin/config')
    return now.etag === before.etag ? undefined : now
  }, 20_000)
  const second = { method: 'PUT', body: { profiles: { profiles: {} }, servers: before.servers } }
  expect((await two.request('/api/admin/config', { ...second, headers: { 'if-match': etag } })).status).toBe(409)
  one.child.kill('SIGKILL')
  await once(one.child, 'exit')

  expect(await decided(two, id)).toMatchObject({ state: 'reverted', failures: [{ server: 'echo' }] })
  expect((await get<PortableConfig>(two, '/api/admin/config')).servers).toEqual(before.servers)
  await until(two, 'running')
  const acts = (await get<AuditPage>(two, '/api/audit')).items.filter(({ action }) => action === 'config.push-reverted')
  expect(acts.filter(({ target }) => target === id)).toHaveLength(1)
}, 60_000)
