import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { fixedCaller } from '../../hub/auth/caller.ts'
import type { ConfigVersion, ConfigVersionDetail, Problem, ServerDetail } from '../../hub/contract/index.ts'
import { fixtureServer, startHub, TOKEN, type TestHub } from '../fixtures/hub.ts'

const remote = { type: 'http', url: 'http://127.0.0.1:9/mcp', hub: { enabled: false } }
const CONFIGURER = 'configurer-token-0123456789'
let hub: TestHub

beforeAll(async () => {
  const configurer = fixedCaller('key:configurer', 'configurer', 'operator', ['hub:configure', 'servers:read'])
  hub = await startHub(
    { one: fixtureServer('echo.ts') },
    {},
    {
      hub: {
        tokens: [
          {
            value: TOKEN,
            caller: fixedCaller('user:ada', 'ada', 'admin', [
              'hub:configure',
              'servers:read',
              'servers:write',
              'servers:exec',
              'servers:operate',
              'profiles:write',
            ]),
          },
          { value: CONFIGURER, caller: configurer },
        ],
      },
    },
  )
  await hub.until('one', 'running')
})
afterAll(() => hub.close())

async function versions(): Promise<ConfigVersion[]> {
  return ((await hub.api('GET', '/api/config/versions')).body as { versions: ConfigVersion[] }).versions
}

const detail = async (id: number): Promise<ConfigVersionDetail> =>
  (await hub.api('GET', `/api/config/versions/${id}`)).body as ConfigVersionDetail

async function put(route: string, body: unknown, ifMatch: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(hub.url + route, {
    method: 'PUT',
    headers: { ...hub.headers, 'content-type': 'application/json', 'if-match': ifMatch },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}

/** A change by who may configure the hub and run nothing on it: the status, and the code of a refusal. */
async function asConfigurer(route: string): Promise<[number, string | undefined]> {
  const response = await fetch(hub.url + route, {
    method: 'POST',
    headers: { authorization: `Bearer ${CONFIGURER}`, 'content-type': 'application/json' },
    body: '{}',
  })
  return [response.status, ((await response.json()) as Partial<Problem>).code]
}

const etagOf = async (route: string): Promise<string> =>
  (await fetch(hub.url + route, { headers: hub.headers })).headers.get('etag') ?? ''

describe('versions of the configuration', () => {
  it('begin with what the hub found, and tell who changed what', async () => {
    const first = await versions()
    expect(first).toMatchObject([{ id: 1, by: null, changes: [] }])

    await hub.api('POST', '/api/servers', { name: 'two', config: remote })
    await hub.api('PUT', '/api/profiles/work', { config: { servers: { one: {} } } })
    await hub.api('DELETE', '/api/servers/two')
    expect((await versions()).map(({ by, changes }) => ({ by, changes }))).toEqual([
      { by: 'ada', changes: [{ file: 'servers', name: 'two', kind: 'removed' }] },
      { by: 'ada', changes: [{ file: 'profiles', name: 'work', kind: 'added' }] },
      { by: 'ada', changes: [{ file: 'servers', name: 'two', kind: 'added' }] },
      { by: null, changes: [] },
    ])
  })

  it('keep what was done by hand, as nobody’s', async () => {
    const file = path.join(hub.configDir, 'system.json')
    await writeFile(file, '{ "limits": { "maxRequestBytes": 5000000 } } // by hand')
    await vi.waitFor(async () => {
      expect((await versions())[0]).toMatchObject({
        by: null,
        changes: [{ file: 'system', name: 'limits.maxRequestBytes', kind: 'added' }],
      })
    })
    const [newest] = await versions()
    expect((await detail(newest?.id ?? 0)).files.system).toContain('// by hand')
  })

  it('can be gone back to, and what is left stays among them', async () => {
    const before = await versions()
    const added = before.find(({ changes }) => changes.some(({ name, kind }) => name === 'two' && kind === 'added'))
    const { differences, files, current } = await detail(added?.id ?? 0)
    expect(differences).toEqual([
      { file: 'servers', name: 'two', kind: 'added' },
      { file: 'profiles', name: 'work', kind: 'removed' },
      { file: 'system', name: 'limits.maxRequestBytes', kind: 'removed' },
    ])
    expect(current.servers).not.toBe(files.servers)

    const restored = await hub.api('POST', `/api/config/versions/${added?.id ?? 0}/restore`, {
      reason: 'two is needed',
    })
    expect(restored.status).toBe(200)
    expect((await hub.api('GET', '/api/servers/two')).status).toBe(200)
    expect((await hub.api('GET', '/api/profiles/work')).status).toBe(404)
    expect(await readFile(path.join(hub.configDir, 'servers.json'), 'utf8')).toBe(files.servers)
    expect((await versions())[0]).toMatchObject({ by: 'ada', reason: 'two is needed', changes: differences })
    expect(await versions()).toHaveLength(before.length + 1)
  })

  it('are readable to the hub’s user only', async () => {
    expect((await stat(path.join(hub.dataDir, 'versions', '000001.json'))).mode & 0o777).toBe(0o600)
  })

  it('run no program for somebody who may not enter one', async () => {
    await hub.api('POST', '/api/servers', {
      name: 'three',
      config: { ...fixtureServer('echo.ts'), hub: { enabled: false } },
    })
    const [withThree] = await versions()
    await hub.api('DELETE', '/api/servers/three')
    expect(await asConfigurer(`/api/config/versions/${withThree?.id ?? 0}/restore`)).toEqual([403, 'HUB_EXEC_REFUSED'])
    expect((await hub.api('GET', '/api/servers/three')).status).toBe(404)
  })

  it('open nothing for somebody who may not open it', async () => {
    const restore = (version: ConfigVersion | undefined): Promise<unknown> =>
      asConfigurer(`/api/config/versions/${version?.id ?? 0}/restore`)
    for (const [route, body] of [
      ['/api/settings/server.allowRuntimeStdio', { value: true }],
      ['/api/settings/auth.oauth', { value: { issuer: 'https://issuer.example' } }],
      ['/api/webhooks/inner', { url: 'https://10.0.0.1/hook', allowPrivateAddresses: true }],
    ] as const) {
      const before = (await versions())[0]?.id ?? 0
      expect((await hub.api('PUT', route, body)).status).toBe(200)
      const [opened] = await versions()
      // It is in force: going back to it opens nothing.
      expect(await restore(opened)).toEqual([200, undefined])
      expect((await hub.api('POST', `/api/config/versions/${before}/restore`, {})).status).toBe(200)
      expect(await restore(opened)).toEqual([403, 'HUB_EXEC_REFUSED'])
    }
    expect(await asConfigurer('/api/webhooks/inner/restore')).toEqual([403, 'HUB_EXEC_REFUSED'])
    expect((await hub.api('POST', '/api/webhooks/inner/restore')).status).toBe(200)
    expect((await hub.api('DELETE', '/api/webhooks/inner')).status).toBe(204)
  })

  it.each(['999', '0', 'x', '1e3'])('%s is none', async (id) => {
    for (const [method, route] of [
      ['GET', ''],
      ['POST', '/restore'],
    ] as const) {
      const { status, body } = await hub.api(
        method,
        `/api/config/versions/${id}${route}`,
        method === 'POST' ? {} : undefined,
      )
      expect([status, (body as Problem).code]).toEqual([404, 'HUB_VERSION_NOT_FOUND'])
    }
  })

  it('are gone back to as a whole or not at all', async () => {
    const before = await readFile(path.join(hub.configDir, 'servers.json'), 'utf8')
    const profiles = path.join(hub.configDir, 'profiles.json')
    const kept = await readFile(profiles, 'utf8')
    // Nothing can be written there.
    await rm(profiles)
    await mkdir(path.join(profiles, 'in the way'), { recursive: true })
    const { status, body } = await hub.api('POST', '/api/config/versions/3/restore', {})
    expect([status, (body as Problem).code]).toEqual([507, 'HUB_CONFIG_NOT_SAVED'])
    expect(await readFile(path.join(hub.configDir, 'servers.json'), 'utf8')).toBe(before)
    await rm(profiles, { recursive: true })
    await writeFile(profiles, kept)
  })
})

describe('two who edit the same entry', () => {
  it.each([
    ['/api/servers/one', { config: { ...fixtureServer('echo.ts'), hub: { description: 'mine' } } }],
    ['/api/profiles/shared', { config: { description: 'mine', servers: {} } }],
  ])('the second one at %s is told, and nothing is lost', async (route, mine) => {
    const theirs = {
      config: {
        ...mine.config,
        ...('command' in mine.config ? { hub: { description: 'theirs' } } : { description: 'theirs' }),
      },
    }
    await hub.api('PUT', route, theirs)
    const etag = await etagOf(route)
    expect(etag).toMatch(/^"[\w-]{22}"$/)
    expect((await put(route, mine, etag)).status).toBe(200)

    const late = await put(route, theirs, etag)
    expect([late.status, (late.body as Problem).code]).toEqual([412, 'HUB_CHANGED_MEANWHILE'])
    expect(JSON.stringify((await hub.api('GET', route)).body)).toContain('"mine"')

    expect((await put(route, theirs, await etagOf(route))).status).toBe(200)
    expect((await put(route, mine, '*')).status).toBe(200)
  })

  it('what is gone does not match', async () => {
    expect(await put('/api/profiles/not-there', { config: { servers: {} } }, '*')).toMatchObject({ status: 412 })
  })

  it('the ETag of a save is that of what was saved', async () => {
    const { body } = await hub.api('GET', '/api/servers/one')
    const response = await fetch(`${hub.url}/api/servers/one`, {
      method: 'PUT',
      headers: { ...hub.headers, 'content-type': 'application/json' },
      body: JSON.stringify({ config: { ...(body as ServerDetail).config, description: 'again' } }),
    })
    expect(response.headers.get('etag')).toBe(await etagOf('/api/servers/one'))
  })
})
