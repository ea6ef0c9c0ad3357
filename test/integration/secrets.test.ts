import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fixtureServer, startHub, TOKEN, VIEWER_TOKEN, type TestHub } from '../fixtures/hub.ts'
import type { CallResult, FoundSecrets, ParsedPaste, Problem, Secrets } from '../../hub/contract/index.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({
    first: { ...fixtureServer('echo.ts'), env: { TOKEN: '${secret:KNOWN}' } },
    second: { ...fixtureServer('echo.ts'), env: { TOKEN: 'Bearer ${secret:LATER}', AGAIN: '${secret:LATER}' } },
    other: fixtureServer('echo.ts'),
  })
  await hub.until('first', 'running')
  await hub.until('other', 'running')
})
afterAll(() => hub.close())

const envOf = async (server: string): Promise<string> => {
  const { body } = await hub.api('POST', '/api/tools/call', { server, tool: 'env', arguments: { name: 'TOKEN' } })
  return ((body as CallResult).result as { content: { text: string }[] }).content[0]?.text ?? ''
}
const pids = async () => ({
  first: (await hub.until('first', 'running')).pid,
  other: (await hub.until('other', 'running')).pid,
})

describe('secrets', () => {
  it('are listed with what uses them, and never with a value', async () => {
    const { body } = await hub.api('GET', '/api/secrets')
    expect((body as Secrets).secrets).toEqual([
      {
        name: 'KNOWN',
        source: 'vault',
        usedBy: [{ server: 'first', paths: ['env.TOKEN'] }],
        usedBySettings: [],
        masked: true,
      },
      {
        name: 'LATER',
        source: 'missing',
        usedBy: [{ server: 'second', paths: ['env.TOKEN', 'env.AGAIN'] }],
        usedBySettings: [],
        masked: true,
      },
    ])
    expect(JSON.stringify(body)).not.toContain('value-of-the-known-secret')
  })

  it('that are missing keep only their own server from starting, which starts once they are set', async () => {
    const failed = await hub.until('second', 'failed')
    expect(failed.reason).toMatchObject({
      code: 'unresolved-reference',
      message: expect.stringContaining('The secret LATER is not set') as string,
      cure: expect.stringContaining('Set the secret LATER in the vault') as string,
    })
    const set = await hub.api('PUT', '/api/secrets/LATER', { value: 'a later value' })
    expect(set).toEqual({ status: 201, body: { name: 'LATER', created: true, restarted: ['second'] } })
    await hub.until('second', 'running')
    expect(await envOf('second')).toBe('Bearer [secret]')
  })

  it('reach the servers that use them when they change, and no other server is touched', async () => {
    const before = await pids()
    const { body } = await hub.api('PUT', '/api/secrets/KNOWN', { value: 'value-after-the-rotation' })
    expect(body).toMatchObject({ created: false, restarted: ['first'] })
    await expect.poll(async () => (await pids()).first, { timeout: 10_000 }).not.toBe(before.first)
    expect((await pids()).other).toBe(before.other)
    // The real value arrives: the answer to an MCP client is theirs, and not redacted.
    const response = await fetch(`${hub.url}/mcp/first`, {
      method: 'POST',
      headers: {
        ...hub.headers,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2026-07-28',
        'mcp-method': 'tools/call',
        'mcp-name': 'env',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: {
          name: 'env',
          arguments: { name: 'TOKEN' },
          _meta: {
            'io.modelcontextprotocol/protocolVersion': '2026-07-28',
            'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
            'io.modelcontextprotocol/clientCapabilities': {},
          },
        },
      }),
    })
    expect(await response.text()).toContain('value-after-the-rotation')
    const again = await hub.api('PUT', '/api/secrets/KNOWN', { value: 'value-after-the-rotation' })
    expect(again.body).toMatchObject({ restarted: [] })
  })

  it('are not deleted while a server needs them, unless somebody insists', async () => {
    const refused = await hub.api('DELETE', '/api/secrets/LATER')
    expect(refused).toMatchObject({ status: 409, body: { code: 'HUB_SECRET_IN_USE' } })
    expect((refused.body as Problem).detail).toContain('second')
    expect((await hub.api('DELETE', '/api/secrets/LATER?force=true')).status).toBe(204)
    await hub.until('second', 'failed')
    expect((await hub.api('DELETE', '/api/secrets/LATER?force=true')).status).toBe(404)
  })

  it('that somebody writes into an entry go into the vault, not into the file', async () => {
    const entry = { ...fixtureServer('echo.ts'), env: { TOKEN: 'Bearer lifted-value-1', API_KEY: 'stays-in-clear' } }
    const found = await hub.api('POST', '/api/servers/secrets', { name: 'lifted', config: entry })
    expect(found.body).toEqual({
      config: { ...entry, env: { TOKEN: 'Bearer ${secret:LIFTED_TOKEN}', API_KEY: '${secret:LIFTED_API_KEY}' } },
      secrets: [
        { path: 'env.TOKEN', text: 'Bearer ${secret:LIFTED_TOKEN}', names: ['LIFTED_TOKEN'] },
        { path: 'env.API_KEY', text: '${secret:LIFTED_API_KEY}', names: ['LIFTED_API_KEY'] },
      ],
    })
    const pasted = await hub.api('POST', '/api/servers/parse', { text: JSON.stringify({ lifted: entry }) })
    expect((pasted.body as ParsedPaste).servers[0]).toMatchObject({
      config: entry,
      secrets: (found.body as FoundSecrets).secrets,
    })

    const config = { ...entry, env: { ...entry.env, TOKEN: 'Bearer ${secret:LIFTED_TOKEN}' } }
    const added = await hub.api('POST', '/api/servers', { name: 'lifted', config: entry, inClear: ['env.API_KEY'] })
    expect(added).toMatchObject({ status: 201, body: { config } })
    const file = await readFile(path.join(hub.configDir, 'servers.json'), 'utf8')
    expect(file).toContain('Bearer ${secret:LIFTED_TOKEN}')
    expect(file).not.toContain('lifted-value-1')
    await hub.until('lifted', 'running')

    // A new value in the same place is a new value of the same secret; the entry does not change.
    const edited = await hub.api('PUT', '/api/servers/lifted', {
      config: { ...config, env: { ...config.env, TOKEN: 'Bearer lifted-value-2' } },
      inClear: ['env.API_KEY'],
    })
    expect(edited).toMatchObject({ status: 200, body: { config } })
    await expect.poll(() => hub.vault.get('LIFTED_TOKEN')).toBe('lifted-value-2')
    await hub.until('lifted', 'running')
    expect(await envOf('lifted')).toBe('Bearer [secret]')
  })

  it('that stay in the file are shown to whoever may change it, and to nobody else', async () => {
    const read = (token: string) =>
      fetch(`${hub.url}/api/servers/lifted`, { headers: { authorization: `Bearer ${token}` } }).then((answer) =>
        answer.text(),
      )
    expect(await read(TOKEN)).toContain('stays-in-clear')
    expect(await read(VIEWER_TOKEN)).toContain('"API_KEY":"[secret]"')
  })

  it('stay there when the entry gets a new name that its sign-in cannot follow', async () => {
    await writeFile(path.join(hub.dataDir, 'accounts'), 'no folder')
    const config = { ...fixtureServer('echo.ts'), env: { TOKEN: 'Bearer renamed-value' } }
    expect(await hub.api('PUT', '/api/servers/other', { name: 'renamed', config })).toMatchObject({
      status: 200,
      body: { name: 'renamed', config: { env: { TOKEN: 'Bearer ${secret:OTHER_TOKEN}' } } },
    })
    await hub.until('renamed', 'running')
    expect(hub.vault.get('OTHER_TOKEN')).toBe('renamed-value')
    expect(await envOf('renamed')).toBe('Bearer [secret]')
  })

  it.each<[string, unknown, string]>([
    ['1st', { value: 'x' }, 'letters, digits'],
    ['A'.repeat(129), { value: 'x' }, 'at most 128'],
    ['__proto__', { value: 'x' }, '__proto__'],
    [encodeURIComponent('oauth:first'), { value: 'x' }, 'letters, digits'],
    ['GOOD', { value: '' }, 'has a value'],
    ['GOOD', { value: 'x'.repeat(40_000) }, 'at most 32768 characters'],
    ['GOOD', { value: 'a\0b' }, 'NUL'],
    ['GOOD', { value: 7 }, 'expected string'],
    ['GOOD', { value: '${secret:GOOD}' }, 'only a reference'],
    ['GOOD', {}, 'value'],
    ['GOOD', { value: 'x', more: 1 }, 'Unknown key more'],
  ])('PUT /api/secrets/%s %j is refused with its reason', async (name, body, reason) => {
    const answer = await hub.api('PUT', `/api/secrets/${name}`, body)
    expect(answer.status).toBe(400)
    expect((answer.body as Problem).detail).toContain(reason)
  })

  it.each([
    ['${secret:A_${x}}', 'no reference'],
    ['${secret:LOOP_A}', 'leads back to itself: secret:LOOP_A → secret:LOOP_B → secret:LOOP_A'],
    ['${input:github_token}', '${secret:github_token}'],
    ['${secret:NOBODY}', 'The secret NOBODY is not set'],
    ['${secret:oauth:first}', 'is not set'],
    ['${env:NOT_SET_ANYWHERE}', 'has no value'],
  ])('an entry with %s fails before anything runs, with its reason', async (text, reason) => {
    await hub.api('PUT', '/api/secrets/LOOP_A', { value: 'see ${secret:LOOP_B}' })
    await hub.api('PUT', '/api/secrets/LOOP_B', { value: 'see ${secret:LOOP_A}' })
    const { body } = await hub.api('POST', '/api/servers/dry-run', {
      config: { command: 'no-such-command', env: { VALUE: text } },
    })
    expect(body).toMatchObject({ ok: false, reason: { code: 'unresolved-reference' } })
    expect(JSON.stringify(body)).toContain(reason)
  })
})
