import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { APP_MIME_TYPE, appFrameUrl } from '../../hub/contract/app-frame.ts'
import type { ToolEntry } from '../../hub/contract/index.ts'
import { fixtureServer, startHub, TOKEN, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'
import { addKey, ask } from '../fixtures/people.ts'
import { LegacyWire, ModernWire, textOf, waitFor } from '../fixtures/wire.ts'

let hub: TestHub
beforeAll(async () => {
  const hosts = (era: string) => ({ ...fixtureServer('apps-for-hosts.ts'), hub: { era } })
  hub = await startHub({
    apps: fixtureServer('apps.ts'),
    'hosts-legacy': hosts('legacy'),
    'hosts-modern': hosts('modern'),
  })
  for (const era of ['legacy', 'modern'])
    await hub.api('PUT', `/api/profiles/${era}-only`, { config: { servers: { [`hosts-${era}`]: {} } } })
  await Promise.all(['apps', 'hosts-legacy', 'hosts-modern'].map((name) => hub.until(name, 'running')))
})
afterAll(() => hub.close())

const FRAME = 'GET /api/apps/frame'
const none = { connectDomains: [], resourceDomains: [], frameDomains: [], baseUriDomains: [] }

it('tells which tools have an interface and who may call which', async () => {
  const { body } = await hub.api('GET', '/api/tools')
  const ui = (name: string) => (body as ToolEntry[]).find((tool) => tool.name === name)?.ui
  expect(ui('weather')).toEqual({ resourceUri: 'ui://apps/weather', visibility: ['model', 'app'] })
  expect(ui('older')?.resourceUri).toBe('ui://apps/silent')
  expect(ui('seen')).toEqual({ resourceUri: null, visibility: ['app'] })
  expect(ui('save')).toEqual({ resourceUri: null, visibility: ['model', 'app'] })
})

it('serves the frame of an app under a policy of its own, only to who may call tools', async () => {
  const { status, headers } = await ask(hub, FRAME, { token: TOKEN })
  expect(status).toBe(200)
  expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
  const policy = headers.get('content-security-policy') ?? ''
  expect(policy).toMatch(/^sandbox allow-scripts allow-forms; default-src 'none';/)
  expect(policy).toContain("connect-src 'none'")
  expect(policy).toContain("frame-ancestors 'self'")
  expect(policy).not.toContain('allow-same-origin')
  expect(headers.get('cache-control')).toBe('no-store')

  expect((await ask(hub, FRAME)).status).toBe(401)
  expect((await ask(hub, FRAME, { token: VIEWER_TOKEN })).status).toBe(403)
  const key = await addKey(hub, TOKEN, { permissions: ['servers:read', 'tools:call'], scope: { servers: ['apps'] } })
  expect((await ask(hub, FRAME, { token: key.body.secret })).status).toBe(200)
})

it('opens the frame to declared origins and to no other', async () => {
  const url = appFrameUrl({ ...none, connectDomains: ['https://api.example.com'] })
  const { headers } = await ask(hub, `GET ${url}`, { token: TOKEN })
  expect(headers.get('content-security-policy')).toContain('connect-src https://api.example.com;')

  const own = new URL(hub.url).host
  for (const source of [
    '*',
    "'self'",
    `http://${own}`,
    'https://localhost',
    'https://a.example.com;script-src',
    'https://127.0.0.1',
  ]) {
    const refused = await ask(hub, `GET ${appFrameUrl({ ...none, connectDomains: [source] })}`, { token: TOKEN })
    expect([source, refused.status]).toEqual([source, 400])
    expect(refused.body.detail).toContain(source)
    expect(refused.body.cure).toContain('https://')
  }
  const hosted = await ask(hub, `GET ${appFrameUrl({ ...none, resourceDomains: [`https://${'x'.repeat(3_000)}`] })}`, {
    token: TOKEN,
  })
  expect(hosted.status).toBe(400)
})

it('lets no other answer of the API be framed', async () => {
  for (const route of ['GET /api/tools', 'GET /api/auth/me', 'GET /api/nothing'])
    expect((await ask(hub, route, { token: TOKEN })).headers.get('content-security-policy')).toBe(
      "default-src 'none'; frame-ancestors 'none'",
    )
})

describe.each(['legacy', 'modern'] as const)('a %s server that shows its app only to hosts with apps', (era) => {
  const extensions = { 'io.modelcontextprotocol/ui': { mimeTypes: [APP_MIME_TYPE] } }
  const namesFor = async (
    capabilities: Record<string, unknown>,
    client: 'legacy' | 'modern',
    path: string,
  ): Promise<string[]> => {
    const options = { headers: hub.headers, capabilities }
    const wire =
      client === 'legacy' ? await LegacyWire.open(hub.url + path, options) : new ModernWire(hub.url + path, options)
    const { result } = await wire.request('tools/list')
    return (result?.['tools'] as { name: string }[]).map(({ name }) => name.replace(/^.*__/, '')).sort()
  }

  it.each(['legacy', 'modern'] as const)(
    'shows it to a %s client that declares them, and to no other',
    async (client) => {
      const host = { extensions, elicitation: {} }
      for (const path of [`/mcp/hosts-${era}`, `/mcp/${era}-only`]) {
        expect(await namesFor(host, client, path)).toEqual(['forecast', 'show-forecast'])
        expect(await namesFor({}, client, path)).toEqual(['forecast'])
        expect(await namesFor({ elicitation: {} }, client, path)).toEqual(['forecast'])
      }
      const wire = new ModernWire(`${hub.url}/mcp/hosts-${era}`, { headers: hub.headers, capabilities: host })
      expect(textOf(await wire.request('tools/call', { name: 'show-forecast' }))).toBe(
        'show-forecast to a host with apps',
      )
    },
  )

  it('shows it in the page, and runs it there', async () => {
    const known = await waitFor(async () => {
      const { body } = await hub.api('GET', `/api/tools?server=hosts-${era}`)
      return (body as ToolEntry[]).find(({ name }) => name === 'show-forecast')
    }, 20_000)
    expect(known.ui.resourceUri).toBe('ui://forecast/page')
    const call = { server: `hosts-${era}`, tool: 'show-forecast', arguments: {} }
    const { body } = await hub.api('POST', '/api/tools/call', call)
    expect(body).toMatchObject({ result: { content: [{ text: 'show-forecast to a host with apps' }] } })
  })
})
