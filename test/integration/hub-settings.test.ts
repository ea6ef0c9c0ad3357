import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { appCaller } from '../../hub/auth/caller.ts'
import type { HubSetting, HubStatus, Problem } from '../../hub/contract/index.ts'
import { TOKEN, startHub, type TestHub } from '../fixtures/hub.ts'

let hub: TestHub
beforeAll(async () => {
  const tokens = [{ value: TOKEN, caller: appCaller }]
  hub = await startHub({}, {}, { hub: { tokens, overrides: { 'logging.level': 'warn' } } })
})
afterAll(() => hub.close())

const file = (): string => path.join(hub.configDir, 'system.json')
const all = async (): Promise<HubSetting[]> => (await hub.api('GET', '/api/settings')).body as HubSetting[]
async function setting(name: string): Promise<HubSetting> {
  const found = (await all()).find((one) => one.name === name)
  if (found === undefined) throw new Error(`There is no ${name}`)
  return found
}
const put = (name: string, value: unknown) => hub.api('PUT', `/api/settings/${name}`, { value })
async function refused(name: string, value: unknown): Promise<Problem> {
  const { status, body } = await put(name, value)
  expect(status).toBeGreaterThanOrEqual(400)
  return body as Problem
}

it('tells of each setting what it does, may be and is, and of secrets no value', async () => {
  await writeFile(file(), '{ "auth": { "jwtSecretPrevious": "of-a-secret-of-more-than-32-characters" } }')
  await vi.waitFor(async () => expect((await setting('auth.jwtSecretPrevious')).isWritten).toBe(true), {
    timeout: 10_000,
  })
  const answer = JSON.stringify(await all())
  expect(answer).not.toContain('of-a-secret')
  expect(await setting('history.maxDays')).toMatchObject({
    help: 'Days that requests are kept.',
    schema: { type: 'integer' },
    default: 30,
    isWritten: false,
    isLive: true,
  })
  expect(await setting('auth.mcp')).toMatchObject({ schema: { enum: ['token', 'none'] }, isLive: false })
  expect(await setting('logging.level')).toMatchObject({ given: 'warn', setBy: ['--log-level', 'LOG_LEVEL'] })
  expect(await setting('backup.folder')).toMatchObject({ needsExec: true })
})

it('writes one between the comments of the file, brings it into force, and takes it out again', async () => {
  await writeFile(file(), '{\n  // As agreed.\n  "history": { "maxRows": 5000 }\n}\n')
  await vi.waitFor(async () => expect((await setting('history.maxRows')).written).toBe(5000), { timeout: 10_000 })
  expect(await put('history.maxDays', 45)).toMatchObject({ status: 200, body: { written: 45, isWritten: true } })
  const text = await readFile(file(), 'utf8')
  expect(text).toContain('// As agreed.')
  expect(JSON.parse(text.replace('// As agreed.', ''))).toEqual({ history: { maxRows: 5000, maxDays: 45 } })

  expect((await hub.api('DELETE', '/api/settings/history.maxDays')).status).toBe(204)
  expect(await setting('history.maxDays')).toMatchObject({ isWritten: false, default: 30 })
  expect(await readFile(file(), 'utf8')).toContain('// As agreed.')

  expect((await put('server.host', '127.0.0.2')).status).toBe(200)
  const { restartNeeded } = (await hub.api('GET', '/api/hub')).body as HubStatus
  expect(restartNeeded).toEqual(['server.host'])
})

it('refuses what a setting cannot be, says where and what to do, and writes nothing', async () => {
  await put('history.maxDays', 20)
  const before = await readFile(file(), 'utf8')
  const wrong = await refused('history.maxDays', 0)
  expect(wrong.faults?.[0]?.path).toBe('history.maxDays')
  expect(await refused('auth.passwordRules.minLength', 'long')).toMatchObject({
    faults: [{ path: 'auth.passwordRules.minLength' }],
  })
  expect(await refused('server.trustProxy', { all: true })).toMatchObject({ status: 400 })
  expect(await refused('history.maxDays', null)).toMatchObject({ code: 'HUB_BAD_REQUEST' })
  expect(await refused('server.publicUrl', 'https://${HOME}.example.com')).toMatchObject({ code: 'HUB_BAD_REQUEST' })
  expect(await refused('auth.jwtSecret', 'x'.repeat(40))).toMatchObject({ code: 'HUB_BAD_REQUEST' })
  expect(await refused('logging.level', 'debug')).toMatchObject({ code: 'HUB_CONFLICT' })
  expect(await refused('no.such', 1)).toMatchObject({ code: 'HUB_NOT_FOUND' })
  expect(await refused('monitoring.webhooks', {})).toMatchObject({ code: 'HUB_NOT_FOUND' })
  expect(await readFile(file(), 'utf8')).toBe(before)
})

it('refuses a change of what somebody else has changed meanwhile', async () => {
  await put('backup.keep', 10)
  const { etag } = await setting('backup.keep')
  await put('backup.keep', 12)
  const answer = await fetch(`${hub.url}/api/settings/backup.keep`, {
    method: 'PUT',
    headers: { ...hub.headers, 'content-type': 'application/json', 'if-match': etag ?? '' },
    body: JSON.stringify({ value: 14 }),
  })
  expect(answer.status).toBe(412)
  expect(await answer.json()).toMatchObject({ code: 'HUB_CHANGED_MEANWHILE' })
  expect((await setting('backup.keep')).written).toBe(12)
})

it('leaves the endpoint where it was when its new port cannot be kept', async () => {
  const { port } = new URL(hub.url)
  const text = await readFile(file(), 'utf8')
  const moves: number[] = []
  hub.hub.onMoveEndpoint = (to) => {
    moves.push(to)
    return Promise.resolve({ state: 'listening', url: '', port: to, takenBy: null, message: null })
  }
  await writeFile(file(), '{ "server": ')
  const { status } = await hub.api('POST', '/api/hub/endpoint', { port: 40_000 })
  await writeFile(file(), text)
  expect(status).toBeGreaterThanOrEqual(400)
  expect(moves).toEqual([40_000, Number(port)])
})
