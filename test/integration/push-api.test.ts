import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { routeNeeds } from '../../hub/api/permissions.ts'
import { appCaller, bootstrapCaller } from '../../hub/auth/caller.ts'
import type { AuditEntry, RunAnswer, RunEvent, RunQuestion, RunResult, SavedTarget } from '../../hub/contract/index.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'
import { startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'
import { ask } from '../fixtures/people.ts'
import { writePrograms, writeSudo } from '../fixtures/push-target/target.ts'
import { makeKey, startSshd, type Sshd } from '../fixtures/sshd.ts'

const APP = 'integration-test-app-0123456789'
const SUDO = 'Cnry9SudoOverHttp7Zq4Wm'

// A machine that does much else takes its time for each process of the SSH server.
vi.setConfig({ testTimeout: 120_000 })

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let hub: TestHub
let sshd: Sshd

beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(path.join(folder.path, 'dist'))
  const bin = await writePrograms(folder.path)
  await writeSudo(bin, SUDO)
  const key = makeKey(folder.path, 'user_key')
  sshd = await startSshd(folder.path, { keys: [key], env: { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` } })
  hub = await startHub(
    { files: { command: 'true', hub: { enabled: false } } },
    {},
    {
      folder: folder.path,
      hub: {
        tokens: [
          { value: APP, caller: appCaller },
          { value: TOKEN, caller: bootstrapCaller },
        ],
      },
    },
  )
  const saved = await ask<SavedTarget>(hub, 'PUT /api/publish/targets/shop', {
    token: APP,
    body: {
      target: { domain: 'hub.example.com', installDir: path.join(folder.path, 'there') },
      connection: {
        host: sshd.host,
        port: sshd.port,
        user: sshd.user,
        sudo: true,
        signIn: { method: 'key', file: key },
      },
    },
  })
  expect([saved.status, saved.body.last]).toEqual([200, null])
})
afterAll(async () => {
  await hub.close()
  await sshd.close()
  await folder.dispose()
})

/** Runs an operation and answers its questions; null leaves one open. */
async function run(
  route: string,
  answer: (question: RunQuestion, run: string) => RunAnswer | null | Promise<null>,
): Promise<RunEvent[]> {
  const response = await fetch(`${hub.url}/api/publish/targets/shop/${route}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${APP}` },
  })
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
  const events: RunEvent[] = []
  let id = ''
  let rest = ''
  for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const event = JSON.parse(line) as RunEvent
      events.push(event)
      if (event.type === 'started') id = event.run
      if (event.type !== 'question') continue
      const given = await answer(event, id)
      if (given === null) continue
      const answered = await ask(hub, `POST /api/publish/runs/${id}/questions/${event.question}`, {
        token: APP,
        body: given,
      })
      expect(answered.status).toBe(204)
    }
  }
  return events
}

it('is for the app alone: an administrator’s key gets none of its routes', async () => {
  const routes = Object.keys(routeNeeds).filter((route) => /\/api\/publish\/(?:targets|runs)/.test(route))
  expect(routes.length).toBeGreaterThan(10)
  for (const route of routes) {
    const known = route.replace(':name', 'shop').replace(/:\w+/g, 'x')
    const body = route.startsWith('GET') ? {} : { body: {} }
    expect([route, (await ask(hub, known, { token: TOKEN, ...body })).status]).toEqual([route, 403])
    expect([route, (await ask(hub, known, body)).status]).toEqual([route, 401])
  }
})

it('a run tells by lines, asks, and is answered; what it was told in confidence is in no line, file or audit log', async () => {
  const events = await run('plan', (question) => (question.kind === 'sudo-password' ? { secret: SUDO } : { yes: true }))
  expect(events[0]).toMatchObject({ type: 'started', operation: 'plan' })
  expect(events.flatMap((event) => (event.type === 'question' ? [event.kind] : []))).toEqual([
    'host-key',
    'sudo-password',
  ])
  const result = events.at(-1) as RunResult
  expect(result).toMatchObject({ type: 'result', outcome: 'done', plan: { inUse: null, obstacles: [] } })
  const audit = await ask(hub, 'GET /api/audit', { token: APP })
  expect(JSON.stringify(audit.body)).toContain('/questions/:question')
  expect(JSON.stringify([events, audit.body])).not.toContain(SUDO)
  expect(await readFile(path.join(folder.path, 'data', 'publish', 'known_hosts'), 'utf8')).toContain(String(sshd.port))
})

it('is cancelled by its route, and asks nothing of the next run for what was confirmed', async () => {
  const events = await run('plan', async (_question, id) => {
    // Nobody else's, and none that is over.
    expect((await ask(hub, 'DELETE /api/publish/runs/other', { token: APP })).status).toBe(404)
    expect((await ask(hub, `DELETE /api/publish/runs/${id}`, { token: APP })).status).toBe(204)
    return null
  })
  expect(events.flatMap((event) => (event.type === 'question' ? [event.kind] : []))).toEqual(['sudo-password'])
  expect(events.at(-1)).toMatchObject({ type: 'result', outcome: 'cancelled' })

  expect((await ask(hub, 'DELETE /api/publish/targets/shop/host-keys', { token: APP })).status).toBe(204)
  const again = await run('plan', () => ({ yes: false }))
  expect(again.flatMap((event) => (event.type === 'question' ? [event.kind] : []))).toEqual(['host-key'])
})

it('a target is renamed and forgotten; what is not saved is not found', async () => {
  const { body } = await ask<SavedTarget>(hub, 'GET /api/publish/targets/shop', { token: APP })
  const { target, connection } = body
  const renamed = await ask(hub, 'PUT /api/publish/targets/shop', {
    token: APP,
    body: { target, connection, rename: 'store' },
  })
  expect(renamed.status).toBe(200)
  expect((await ask(hub, 'POST /api/publish/targets/shop/plan', { token: APP, body: {} })).body.code).toBe(
    'HUB_TARGET_NOT_FOUND',
  )
  expect(
    (await ask(hub, 'PUT /api/publish/targets/..%2Fx', { token: APP, body: { target, connection } })).body.code,
  ).toBe('HUB_BAD_REQUEST')
  expect((await ask(hub, 'DELETE /api/publish/targets/store', { token: APP })).status).toBe(204)
  expect((await ask<SavedTarget[]>(hub, 'GET /api/publish/targets', { token: APP })).body).toEqual([])
})

it('the audit log has an archive that was taken, also when whoever took it went away in the middle', async () => {
  // More than the system keeps for a connection that nobody reads.
  await writeFile(path.join(folder.path, 'dist', 'hub', 'large.bin'), randomBytes(24_000_000))
  const gone = new AbortController()
  const response = await fetch(`${hub.url}/api/publish/archive`, {
    method: 'POST',
    headers: { authorization: `Bearer ${APP}`, 'content-type': 'application/json' },
    body: JSON.stringify({ target: { domain: 'hub.example.com' } }),
    signal: gone.signal,
  })
  expect(response.status).toBe(200)
  gone.abort()
  await expect
    .poll(async () => (await ask<{ items: AuditEntry[] }>(hub, 'GET /api/audit', { token: APP })).body.items[0])
    .toMatchObject({ action: 'POST /api/publish/archive', outcome: 'failed', status: 499 })
})
