import { createHmac } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Webhook, WebhookDelivery, WebhookStatus } from '../../hub/contract/index.ts'
import { createRedactor } from '../../hub/observe/redactor.ts'
import { signedHeaders } from '../../hub/observe/webhook-signature.ts'
import { createWebhookSender, type WebhookSender } from '../../hub/observe/webhook-sender.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { fixtureServer, startHub, TOKEN, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'
import { ask, login, person } from '../fixtures/people.ts'
import { startWebhookReceiver, type ReceivedMessage, type WebhookReceiver } from '../fixtures/webhook-receiver.ts'

const SECRET = `whsec_${Buffer.from('a key of thirty-two bytes, 0123.').toString('base64')}`

const cleanUp: (() => unknown)[] = []
let receiver: WebhookReceiver
beforeEach(async () => {
  receiver = await startWebhookReceiver()
  cleanUp.push(receiver.close)
})
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

/** As a receiver checks it, by the words of the specification. */
function isGenuine({ headers, text }: ReceivedMessage, secret = SECRET): boolean {
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64')
  const signed = `${String(headers['webhook-id'])}.${String(headers['webhook-timestamp'])}.${text}`
  const signature = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
  const age = Math.abs(Date.now() / 1_000 - Number(headers['webhook-timestamp']))
  return headers['webhook-signature'] === signature && age < 60
}

it('signs as the specification has it', () => {
  const at = 1_614_265_330_000
  expect(
    signedHeaders('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'msg_p5jXN8AQM9LWM0D4loKWxJek', at, '{"test": 2432232314}'),
  ).toEqual({
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

describe('a hub with a webhook', () => {
  const typesOf = (): string[] => receiver.received.map(({ body }) => body.type)
  const find = (type: string): ReceivedMessage | undefined => receiver.received.find(({ body }) => body.type === type)
  const start = async (
    servers: Record<string, unknown>,
    hook: object = {},
    options: Parameters<typeof startHub>[2] = {},
  ): Promise<TestHub> => {
    const hub = await startHub(
      servers,
      {
        auth: { bcryptRounds: 10, maxLoginAttempts: 2 },
        monitoring: { webhooks: { ops: { url: receiver.url, secret: '${secret:OPS_WEBHOOK}', ...hook } } },
      },
      { ...options, secrets: { OPS_WEBHOOK: SECRET, UNUSED: 'another-value-that-is-secret' } },
    )
    let open = true
    cleanUp.push(async () => {
      if (open) await hub.close()
      open = false
    })
    return { ...hub, close: () => ((open = false), hub.close()) }
  }

  it('is added, changed and removed by the API, with a key in the vault that is shown once', async () => {
    const hub = await start({})
    const systemFile = (): Promise<string> => readFile(path.join(hub.configDir, 'system.json'), 'utf8')
    const put = (body: object, headers: Record<string, string> = {}) =>
      ask<{ etag: string; secret: string | null; code?: string }>(hub, 'PUT /api/webhooks/new', {
        token: TOKEN,
        body,
        headers,
      })
    const added = await put({ url: receiver.url })
    expect(added).toMatchObject({ status: 200, body: { secret: expect.stringMatching(/^whsec_/) as string } })
    const key = added.body.secret ?? ''
    expect(await systemFile()).not.toContain(key)
    expect(await systemFile()).toMatch(/"secret": "\$\{secret:WEBHOOK_NEW_[0-9A-F]{6}\}"/)
    const listed = (await hub.api('GET', '/api/webhooks')).body as WebhookStatus[]
    expect(listed.find(({ id }) => id === 'new')).toMatchObject({ url: receiver.url, etag: added.body.etag })
    expect(JSON.stringify(listed)).not.toContain(key)

    // It signs with that key, and after a change of the key with the other one only.
    const sent = async (): Promise<ReceivedMessage> => {
      receiver.received.length = 0
      expect((await hub.api('POST', '/api/webhooks/new/test')).body).toMatchObject({ state: 'delivered' })
      return receiver.received[0]!
    }
    expect(isGenuine(await sent(), key)).toBe(true)
    const changed = await put(
      { url: receiver.url, events: ['server.failed'], secret: 'new' },
      { 'if-match': added.body.etag },
    )
    const other = changed.body.secret ?? ''
    const message = await sent()
    expect([isGenuine(message, key), isGenuine(message, other)]).toEqual([false, true])

    // Whoever read it before that change overwrites nothing, and the key stays.
    const late = await put({ url: `${receiver.url}/late`, secret: 'new' }, { 'if-match': added.body.etag })
    expect(late).toMatchObject({ status: 412, body: { code: 'HUB_CHANGED_MEANWHILE' } })
    expect(isGenuine(await sent(), other)).toBe(true)
    expect((await put({ url: 'ftp://example.com' })).status).toBe(400)
    expect((await ask(hub, 'PUT /api/webhooks/Not%20this', { token: TOKEN, body: { url: receiver.url } })).status).toBe(
      400,
    )

    // It comes back as it was, with its key.
    expect((await hub.api('DELETE', '/api/webhooks/new')).status).toBe(204)
    expect((await hub.api('DELETE', '/api/webhooks/new')).status).toBe(404)
    expect(await systemFile()).not.toContain('WEBHOOK_NEW')
    expect((await hub.api('POST', '/api/webhooks/new/restore')).body).toEqual({ etag: changed.body.etag })
    expect(isGenuine(await sent(), other)).toBe(true)
    expect((await hub.api('POST', '/api/webhooks/new/restore')).status).toBe(409)
    expect((await hub.api('POST', '/api/webhooks/never/restore')).status).toBe(404)
    const name = /WEBHOOK_NEW_\w+/.exec(await systemFile())?.[0] ?? ''
    expect((await hub.api('DELETE', `/api/secrets/${name}`)).body).toMatchObject({ code: 'HUB_SECRET_IN_USE' })
    expect((await put({ url: receiver.url, enabled: false })).body.secret).toBeNull()
  })

  it('signs with the newest value of the secret that system.json refers to', async () => {
    const hub = await start({})
    const other = `whsec_${Buffer.from('another key of thirty-two bytes!').toString('base64')}`
    expect((await hub.api('PUT', '/api/secrets/OPS_WEBHOOK', { value: other })).status).toBeLessThan(300)
    await expect
      .poll(async () => {
        await hub.api('POST', '/api/webhooks/ops/test')
        return isGenuine(receiver.received.at(-1)!, other)
      })
      .toBe(true)
    // Without a value the file has a fault, and is right again with one.
    const faults = async (): Promise<number> =>
      ((await hub.api('GET', '/api/hub')).body as { configFaults: unknown[] }).configFaults.length
    expect((await hub.api('DELETE', '/api/secrets/OPS_WEBHOOK?force=true')).status).toBe(204)
    await expect.poll(faults).toBe(1)
    await hub.api('PUT', '/api/secrets/OPS_WEBHOOK', { value: SECRET })
    await expect.poll(faults).toBe(0)
    await expect
      .poll(async () => {
        await hub.api('POST', '/api/webhooks/ops/test')
        return isGenuine(receiver.received.at(-1)!)
      })
      .toBe(true)
  })

  it('leads nobody into private networks by the API, and carries no secret away in its address', async () => {
    const hub = await start({}, {}, { env: { NODE_ENV: 'production' } })
    const put = (body: object, token = TOKEN) => ask(hub, 'PUT /api/webhooks/new', { token, body })
    const refused = async (url: string, more: object = {}) => {
      const { status, body } = await put({ url, ...more })
      return [status, (body as { faults?: { message: string }[] }).faults?.[0]?.message]
    }
    expect(await refused(receiver.url)).toEqual([400, expect.stringContaining('Only https: is safe')])
    expect(await refused('https://127.0.0.1/hook')).toEqual([400, expect.stringContaining('127.0.0.1 is not on the')])
    expect(await refused('https://localhost/hook')).toEqual([400, expect.stringContaining('is not on the internet')])
    expect(await refused('http://169.254.169.254/', { allowPrivateAddresses: true })).toEqual([
      400,
      expect.stringContaining('169.254.169.254'),
    ])
    for (const reference of ['${MCP_HUB_TOKEN}', '${file:/etc/hostname}', '${secret:OPS}'])
      expect(await refused(`https://example.com/${reference}`)).toEqual([400, 'A new address cannot hold a reference'])
    expect((await put({ url: 'https://example.com/', secret: '${MCP_HUB_TOKEN}' })).status).toBe(400)

    // Whoever may set up the hub but no programs leads it nowhere else.
    const { body: key } = await ask<{ secret: string }>(hub, 'POST /api/keys', {
      token: TOKEN,
      body: { name: 'setup', permissions: ['hub:configure'] },
    })
    const inside = { url: receiver.url, allowPrivateAddresses: true }
    expect((await put(inside, key.secret)).body).toMatchObject({ code: 'HUB_EXEC_REFUSED' })
    expect((await put(inside)).status).toBe(200)
    expect((await put({ url: `${receiver.url}/elsewhere` }, key.secret)).body).toMatchObject({
      code: 'HUB_EXEC_REFUSED',
    })
    expect((await put({ url: receiver.url, events: ['server.failed'] }, key.secret)).status).toBe(200)
    expect((await hub.api('POST', '/api/webhooks/new/test')).body).toMatchObject({ state: 'delivered' })
  })

  it('tells that it started, that a server failed and is well again, and that it ends, each signed', async () => {
    const broken = {
      command: process.execPath,
      args: ['-e', 'console.error("another-value-that-is-secret"); process.exit(3)'],
      hub: { maxStartAttempts: 1 },
    }
    const hub = await start({ fickle: broken })
    await hub.until('fickle', 'failed')
    await expect.poll(typesOf).toEqual(['hub.started', 'server.failed'])
    expect(receiver.received.every((message) => isGenuine(message))).toBe(true)
    expect(find('server.failed')?.body.data).toMatchObject({
      server: 'fickle',
      state: 'failed',
      reason: { code: expect.any(String) as string },
      hub: { url: hub.url, version: '0.0.0-test' },
    })
    expect(find('server.failed')?.headers['content-type']).toBe('application/json')
    expect(JSON.stringify(receiver.received)).not.toContain('another-value-that-is-secret')

    expect((await hub.api('PUT', '/api/servers/fickle', { config: fixtureServer('echo.ts') })).status).toBe(200)
    await hub.until('fickle', 'running')
    await expect.poll(typesOf).toContain('server.recovered')
    expect(find('server.recovered')?.body.data).toMatchObject({ server: 'fickle', before: 'failed' })

    await hub.hub.drain(1_000)
    await hub.close()
    expect(typesOf().at(-1)).toBe('hub.draining')
  })

  it('tells of a locked account once, and of a configuration that is broken, and only what is asked for', async () => {
    const hub = await start({}, { events: ['auth.lockout', 'config.invalid'] }, { users: [person('anna', 'admin')] })
    for (let tries = 0; tries < 5; tries++) await login(hub, 'anna', 'wrong')
    await expect.poll(typesOf).toEqual(['auth.lockout'])
    expect(find('auth.lockout')?.body.data).toMatchObject({ account: 'anna', address: expect.any(String) as string })
    await writeFile(path.join(hub.configDir, 'servers.json'), '{ "mcpServers": { "a": { "comand": "x" } } }')
    await expect.poll(typesOf, { timeout: 10_000 }).toEqual(['auth.lockout', 'config.invalid'])
    expect(find('config.invalid')?.body.data['faults']).toContainEqual(
      expect.objectContaining({ line: 1, cure: 'Did you mean command?' }),
    )
  })

  it('tells once of a tool whose definition is not the one that was approved', async () => {
    const folder = await temporaryFolder()
    cleanUp.push(() => folder.dispose())
    const first = await start({ a: fixtureServer('echo.ts') }, { events: ['tools.changed'] }, { folder: folder.path })
    await first.until('a', 'running')
    await first.close()
    expect(typesOf()).toEqual([])
    // As if the server had shown another description when it was approved.
    const file = path.join(folder.path, 'data', 'pins.json')
    const pins = JSON.parse(await readFile(file, 'utf8')) as { servers: { a: { echo: { hash: string } } } }
    pins.servers.a.echo.hash = 'of-another-definition'
    await writeFile(file, JSON.stringify(pins))

    const hub = await start({ a: fixtureServer('echo.ts') }, { events: ['tools.changed'] }, { folder: folder.path })
    await expect.poll(typesOf, { timeout: 10_000 }).toEqual(['tools.changed'])
    expect(receiver.received[0]?.body.data).toMatchObject({ server: 'a', tools: [{ name: 'echo', state: 'changed' }] })
    await hub.api('POST', '/api/servers/a/restart')
    await hub.until('a', 'running')
    expect(typesOf()).toHaveLength(1)
  })

  it('is tested and looked at over the API by who may, and follows the file', async () => {
    const hub = await start({}, { events: ['server.failed'] })
    const list = async (): Promise<WebhookStatus[]> => (await hub.api('GET', '/api/webhooks')).body as WebhookStatus[]
    expect(await list()).toEqual([
      {
        id: 'ops',
        url: receiver.url,
        events: ['server.failed'],
        enabled: true,
        stopped: null,
        deliveries: [],
        allowPrivateAddresses: null,
        etag: expect.stringMatching(/^"/) as string,
      },
    ])
    expect(await hub.api('POST', '/api/webhooks/ops/test')).toMatchObject({
      status: 200,
      body: { event: 'webhook.test', state: 'delivered', attempts: 1, status: 204, message: null },
    })
    receiver.answers.push(500)
    expect(await hub.api('POST', '/api/webhooks/ops/test')).toMatchObject({
      body: { state: 'failed', attempts: 1, status: 500, message: 'The receiver answered 500' },
    })
    expect((await list())[0]?.deliveries.map(({ state }) => state)).toEqual(['failed', 'delivered'])
    expect(typesOf()).toEqual(['webhook.test', 'webhook.test'])
    expect(receiver.received.every((message) => isGenuine(message))).toBe(true)

    expect(await hub.api('POST', '/api/webhooks/nobody/test')).toMatchObject({
      status: 404,
      body: { code: 'HUB_WEBHOOK_NOT_FOUND' },
    })
    for (const route of ['GET /api/webhooks', 'POST /api/webhooks/ops/test'])
      expect((await ask(hub, route, { token: VIEWER_TOKEN })).status).toBe(403)
    await expect
      .poll(async () =>
        ((await hub.api('GET', '/api/audit')).body as { items: { action: string }[] }).items.map(
          ({ action }) => action,
        ),
      )
      .toContain('POST /api/webhooks/:id/test')

    const webhooks = { other: { url: receiver.url, secret: SECRET } }
    await writeFile(path.join(hub.configDir, 'system.json'), JSON.stringify({ monitoring: { webhooks } }))
    await expect.poll(async () => (await list()).map(({ id }) => id), { timeout: 10_000 }).toEqual(['other'])
    expect(await hub.api('POST', '/api/webhooks/other/test')).toMatchObject({ body: { state: 'delivered' } })
  })

  it.each([
    ['https://127.0.0.1:1/', 'not on the internet'],
    ['https://[::ffff:127.0.0.1]:1/', 'not on the internet'],
    ['https://localhost:1/', 'not on the internet'],
    ['https://169.254.169.254/latest/', 'not on the internet'],
    ['http://example.com/', 'Only https:'],
  ])('leads a hub in production not to %s', async (url, why) => {
    const hub = await start({}, { url }, { env: { NODE_ENV: 'production' } })
    const { body } = await hub.api('POST', '/api/webhooks/ops/test')
    expect(body).toMatchObject({ state: 'failed', status: null })
    expect((body as WebhookDelivery).message).toContain(why)
  })

  it('reaches a private network where it is told that it may, but never the metadata of a cloud', async () => {
    const hub = await start({}, { allowPrivateAddresses: true }, { env: { NODE_ENV: 'production' } })
    expect(await hub.api('POST', '/api/webhooks/ops/test')).toMatchObject({ body: { state: 'delivered' } })
    const webhooks = { ops: { url: 'http://169.254.169.254/', secret: SECRET, allowPrivateAddresses: true } }
    await writeFile(path.join(hub.configDir, 'system.json'), JSON.stringify({ monitoring: { webhooks } }))
    await expect
      .poll(async () => ((await hub.api('GET', '/api/webhooks')).body as WebhookStatus[])[0]?.url, { timeout: 10_000 })
      .toBe('http://169.254.169.254/')
    const { body } = await hub.api('POST', '/api/webhooks/ops/test')
    expect((body as WebhookDelivery).message).toContain('not on the internet')
  })
})

describe('a delivery', () => {
  const warnings: unknown[] = []
  let hook: Partial<Webhook> | null
  function open(first: Partial<Webhook> = {}, retryMs = [5, 5, 5]): WebhookSender {
    warnings.length = 0
    hook = first
    const sender = createWebhookSender({
      hooks: () => (hook === null ? {} : { ops: { url: receiver.url, secret: SECRET, ...hook } }),
      allowPrivateAddresses: () => true,
      hubUrl: () => 'https://hub.example.com',
      version: '1.2.3',
      env: () => undefined,
      configDir: '/nowhere',
      redactor: createRedactor(),
      log: (_level, message, data) => warnings.push({ message, ...data }),
      retryMs,
    })
    cleanUp.push(() => sender.dispose())
    return sender
  }
  const tell = (sender: WebhookSender): void => sender.tell('server.failed', { server: 'a' }, Date.now())
  const states = (sender: WebhookSender): string[] => sender.deliveries('ops').map(({ state }) => state)

  it('is tried again, as the same message, until it is taken', async () => {
    receiver.answers.push(500, 503)
    const sender = open()
    tell(sender)
    await expect.poll(() => states(sender)).toEqual(['delivered'])
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(1)
    expect(receiver.received.every((message) => isGenuine(message))).toBe(true)
    expect(sender.deliveries('ops')[0]).toMatchObject({ attempts: 3, status: 204, message: null, nextAttemptAt: null })
    expect(warnings).toEqual([])
  })

  it('waits as long as the receiver asks for', async () => {
    receiver.answers.push({ status: 429, headers: { 'retry-after': '30' } })
    const sender = open()
    tell(sender)
    await expect.poll(() => sender.deliveries('ops')[0]?.attempts).toBe(1)
    expect((sender.deliveries('ops')[0]?.nextAttemptAt ?? 0) - Date.now()).toBeGreaterThan(25_000)
  })

  it('is given up, and that is told, when the receiver keeps failing', async () => {
    receiver.answers.push(500, 500, 500, 500)
    const sender = open()
    tell(sender)
    await expect.poll(() => states(sender)).toEqual(['failed'])
    expect(warnings).toMatchObject([{ message: 'A webhook was not delivered', webhook: 'ops', attempts: 4 }])
  })

  it('is the last one to a receiver that wants no more, until a person tries it', async () => {
    receiver.answers.push(410)
    const sender = open()
    tell(sender)
    await expect.poll(() => states(sender)).toEqual(['failed'])
    expect(String(sender.stopped('ops'))).toContain('410')
    tell(sender)
    expect(receiver.received).toHaveLength(1)
    expect(await sender.test('ops')).toMatchObject({ state: 'delivered' })
    expect(sender.stopped('ops')).toBeNull()
  })

  it('is given up when its webhook is switched off before it is taken', async () => {
    receiver.answers.push(500)
    const sender = open()
    tell(sender)
    hook = { enabled: false }
    sender.apply()
    await expect.poll(() => states(sender)).toEqual(['failed'])
    expect(sender.deliveries('ops')[0]?.message).toContain('switched off')
    expect(receiver.received).toHaveLength(1)
    expect(await sender.test('ops')).toMatchObject({ state: 'delivered' })
  })

  it('is tried no more when its webhook is removed while it is under way', async () => {
    receiver.answers.push('nothing')
    const sender = open()
    tell(sender)
    await expect.poll(() => receiver.received).toHaveLength(1)
    hook = null
    sender.apply()
    // Added again it is another one, and what was told before is not its business.
    hook = {}
    sender.apply()
    tell(sender)
    await expect.poll(() => states(sender)).toEqual(['delivered'])
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(receiver.received).toHaveLength(2)
  })

  it('follows no redirect', async () => {
    receiver.answers.push({ status: 307, headers: { location: receiver.url } })
    const sender = open({}, [])
    tell(sender)
    await expect.poll(() => states(sender)).toEqual(['failed'])
    expect(receiver.received).toHaveLength(1)
    expect(sender.deliveries('ops')[0]).toMatchObject({ status: 307, message: 'The receiver answered 307' })
  })

  it('is one of a bounded number, of which the oldest give way', async () => {
    const sender = open({ url: 'http://127.0.0.1:1/' }, [3_600_000])
    for (let n = 0; n < 260; n++) tell(sender)
    const deliveries = sender.deliveries('ops')
    expect(deliveries.filter(({ state }) => state === 'waiting')).toHaveLength(200)
    expect(deliveries.length).toBeLessThanOrEqual(250)
    expect(warnings).toHaveLength(60)
    await expect
      .poll(() => sender.deliveries('ops').every(({ attempts, state }) => state === 'failed' || attempts === 1))
      .toBe(true)
    expect(sender.deliveries('ops')[0]?.message).toContain('connection refused')
  })
})
