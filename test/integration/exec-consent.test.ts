import { readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { appCaller } from '../../hub/auth/caller.ts'
import type { ConfigVersion, ExecConsent } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'
import { ask } from '../fixtures/people.ts'

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

const echo = fixtureServer('echo.ts')
/** The same server by other arguments. */
const withFlag = (flag: string): typeof echo => ({ ...echo, args: [flag, ...echo.args] })

async function desktop(
  servers: Record<string, unknown>,
  options: Parameters<typeof startHub>[2] = {},
): Promise<TestHub> {
  const hub = await startHub(
    servers,
    {},
    {
      ...options,
      hub: { mode: 'desktop', tokens: [{ value: TOKEN, caller: appCaller }] },
    },
  )
  cleanUp.push(hub.close)
  return hub
}

/** As another program does it. */
const writeServers = (hub: TestHub, servers: Record<string, unknown>): Promise<void> =>
  writeFile(path.join(hub.configDir, 'servers.json'), JSON.stringify({ mcpServers: servers }))

const consentOf = async (hub: TestHub, name: string): Promise<ExecConsent> =>
  (await hub.api('GET', `/api/servers/${name}/consent`)).body as ExecConsent

const waitingForConsent = async (hub: TestHub, name: string): Promise<void> => {
  expect((await hub.until(name, 'failed')).reason).toMatchObject({ code: 'consent-needed' })
}

describe('a program that was changed outside the app (CVE-2025-54136, CVE-2025-54135)', () => {
  it('is not run until a person saw it and agreed', async () => {
    const hub = await desktop({ one: echo })
    await hub.until('one', 'running')
    const marker = path.join(hub.dataDir, 'it-ran')
    const evil = {
      command: process.execPath,
      args: ['-e', `require('node:fs').writeFileSync(${JSON.stringify(marker)}, '')`],
    }
    await writeServers(hub, { one: evil })
    await waitingForConsent(hub, 'one')
    await expect(stat(marker)).rejects.toThrow()
    // Nor by what restarts it.
    await hub.api('POST', '/api/servers/one/restart')
    await waitingForConsent(hub, 'one')
    // Nor by the doctor, be the entry given to it or not.
    for (const body of [{}, { config: evil }]) {
      const { status, body: report } = await hub.api('POST', '/api/servers/one/doctor', body)
      expect([status, report]).toMatchObject([200, { failed: 'configuration', reason: { code: 'consent-needed' } }])
    }
    await expect(stat(marker)).rejects.toThrow()

    const consent = await consentOf(hub, 'one')
    expect(consent).toMatchObject({
      needed: true,
      now: { command: evil.command, args: evil.args },
      before: { command: echo.command, args: echo.args },
    })
    // Changed again while somebody was looking.
    await writeServers(hub, { one: withFlag('--no-warnings') })
    await expect.poll(async () => (await consentOf(hub, 'one')).stamp).not.toBe(consent.stamp)
    expect(await hub.api('POST', '/api/servers/one/consent', { stamp: consent.stamp })).toMatchObject({
      status: 409,
      body: { code: 'HUB_CONFLICT' },
    })
    const { stamp } = await consentOf(hub, 'one')
    expect((await hub.api('POST', '/api/servers/one/consent', { stamp })).status).toBe(200)
    await hub.until('one', 'running')
    expect(await consentOf(hub, 'one')).toMatchObject({ needed: false })
  })

  it.each<[string, object, boolean]>([
    ['another argument', withFlag('--no-warnings'), true],
    ['another folder', { ...echo, cwd: '/' }, true],
    ['another variable', { ...echo, env: { KEY: '1', OTHER: '1' } }, true],
    ['another value of NODE_OPTIONS', { ...echo, env: { KEY: '1', NODE_OPTIONS: '--no-warnings' } }, true],
    ['another value of a key', { ...echo, env: { KEY: '2' } }, false],
    ['another description', { ...echo, env: { KEY: '1' }, hub: { description: 'a note' } }, false],
  ])('%s is asked for: %s', async (_what, changed, asked) => {
    const hub = await desktop({ one: { ...echo, env: { KEY: '1' } } })
    await hub.until('one', 'running')
    const before = JSON.stringify(((await hub.api('GET', '/api/servers/one')).body as { config: object }).config)
    await writeServers(hub, { one: changed })
    await expect
      .poll(async () => JSON.stringify(((await hub.api('GET', '/api/servers/one')).body as { config: object }).config))
      .not.toBe(before)
    if (asked) await waitingForConsent(hub, 'one')
    else await hub.until('one', 'running')
  })

  it('may be a server that is new in the file, also while no hub ran', async () => {
    const folder = await temporaryFolder()
    const first = await startHub(
      { one: echo },
      {},
      {
        folder: folder.path,
        hub: { mode: 'desktop', tokens: [{ value: TOKEN, caller: appCaller }] },
      },
    )
    await first.until('one', 'running')
    await first.close()
    cleanUp.push(() => folder.dispose())
    const hub = await desktop({ one: echo, planted: withFlag('--no-warnings') }, { folder: folder.path })
    await hub.until('one', 'running')
    await waitingForConsent(hub, 'planted')
  })

  it('is agreed to by who enters it in the app, and not by who changes something else', async () => {
    const hub = await desktop({})
    expect((await hub.api('POST', '/api/servers', { name: 'one', config: echo })).status).toBe(201)
    await hub.until('one', 'running')
    const edited = withFlag('--no-warnings')
    expect((await hub.api('PUT', '/api/servers/one', { config: edited })).status).toBe(200)
    await hub.until('one', 'running')
    const planted = withFlag('--no-deprecation')
    await writeServers(hub, { one: planted })
    await waitingForConsent(hub, 'one')
    await hub.api('PUT', '/api/servers/one', { config: { ...planted, hub: { description: 'a note' } } })
    await hub.api('POST', '/api/servers/one/disable')
    await hub.api('POST', '/api/servers/one/enable')
    await waitingForConsent(hub, 'one')
    const file = path.join(hub.dataDir, 'exec-consents.json')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await readFile(file, 'utf8')).not.toContain('--no-deprecation')
  })

  it('is not agreed to by who goes back to a version in which it is the same', async () => {
    const hub = await desktop({ one: echo })
    await hub.until('one', 'running')
    const planted = withFlag('--no-deprecation')
    await writeServers(hub, { one: planted })
    await waitingForConsent(hub, 'one')
    const versions = async (): Promise<ConfigVersion[]> =>
      ((await hub.api('GET', '/api/config/versions')).body as { versions: ConfigVersion[] }).versions
    await expect.poll(async () => (await versions())[0]?.changes).toMatchObject([{ name: 'one' }])
    const [before] = await versions()
    const added = withFlag('--no-warnings')
    expect((await hub.api('POST', '/api/servers', { name: 'two', config: added })).status).toBe(201)
    const [withTwo] = await versions()
    const back = async (version?: ConfigVersion): Promise<void> => {
      const restored = await hub.api('POST', `/api/config/versions/${version?.id ?? 0}/restore`, {})
      expect(restored.status).toBe(200)
      expect(await consentOf(hub, 'one')).toMatchObject({ needed: true })
    }
    await back(before)
    await back(withTwo)
    await hub.until('two', 'running')
    // Where it is what the version brings, it is seen and agreed to.
    await hub.api('PUT', '/api/servers/one', { config: echo })
    await hub.until('one', 'running')
    const restored = await hub.api('POST', `/api/config/versions/${before?.id ?? 0}/restore`, {})
    expect(restored.status).toBe(200)
    await expect.poll(async () => (await consentOf(hub, 'one')).now.args).toEqual(planted.args)
    await hub.until('one', 'running')
  })
})

describe('on a server', () => {
  it('the files are the operator’s, unless server.execConsent is on; only who may run programs agrees', async () => {
    const trusting = await startHub({ one: echo })
    cleanUp.push(trusting.close)
    await trusting.until('one', 'running')
    await writeServers(trusting, { one: withFlag('--no-warnings'), two: echo })
    await trusting.until('two', 'running')
    await trusting.until('one', 'running')

    const strict = await startHub({ one: echo }, { server: { execConsent: true } })
    cleanUp.push(strict.close)
    await strict.until('one', 'running')
    await writeServers(strict, { one: withFlag('--no-warnings') })
    await waitingForConsent(strict, 'one')
    const { stamp } = await consentOf(strict, 'one')
    expect(await ask(strict, 'POST /api/servers/one/consent', { token: VIEWER_TOKEN, body: { stamp } })).toMatchObject({
      status: 403,
    })
    expect((await strict.api('POST', '/api/servers/one/consent', { stamp })).status).toBe(200)
    await strict.until('one', 'running')
  })
})
