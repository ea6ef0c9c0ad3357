import { mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseServersFile } from '../../hub/config/parse-servers.ts'
import { parseSystemFile } from '../../hub/config/parse-system.ts'
import { parsePaste, splitCommandLine } from '../../hub/config/paste.ts'
import { resolveReferences } from '../../hub/config/references.ts'
import { openFiles } from '../../hub/config/documents.ts'
import { openConfigStore } from '../../hub/config/store.ts'
import { serverPrefix, type Profile, type ServerConfig, type StdioServerConfig } from '../../hub/contract/index.ts'
import { readFileBelow, readSecretFile } from '../../hub/secrets/environment.ts'
import { parseDuration } from '../../hub/auth/duration.ts'

const faults = (text: string) => {
  const parsed = parseServersFile(text, '/c/servers.json')
  return parsed.ok ? [] : parsed.faults
}

describe('servers.json', () => {
  it('takes any client’s file, with comments', () => {
    const text =
      '{ // mine\n "mcpServers": { "My Server": { "command": "npx", "args": ["-y", "x"], "disabled": false, "autoApprove": ["a"] }, "远程": { "url": "https://example.com/mcp" }, } }'
    expect(faults(text)).toEqual([])
  })
  it.each([
    ['{\n  "mcpServers": {\n    "a": { "command": 7 }\n  }\n}', { path: 'mcpServers.a.command', line: 3 }],
    ['{ "mcpServers": { "a": {} } }', { path: 'mcpServers.a.command' }],
    ['{ "mcpServers": { "a/b": { "command": "x" } } }', { path: 'mcpServers.a/b' }],
    ['{ "mcpServers": { "a": { "url": "ftp://x" } } }', { path: 'mcpServers.a.url' }],
    [
      '{ "mcpServers": { "a": { "command": "x", "hub": { "enable": true } } } }',
      { path: 'mcpServers.a.hub.enable', message: 'Unknown key enable' },
    ],
    ['{ "mcpServer": {} }', { path: 'mcpServer', cure: 'Did you mean mcpServers?' }],
    ['', { message: expect.stringContaining('Not valid JSON') as string }],
  ])('%s is explained', (text, expected) => {
    expect(faults(text)).toContainEqual(expect.objectContaining({ file: '/c/servers.json', ...expected }))
  })
  it('refuses names that would share a prefix', () => {
    expect(
      faults('{ "mcpServers": { "my server": { "command": "x" }, "my_server": { "command": "x" } } }')[0]?.message,
    ).toContain('my_server__')
  })
  it('does not fall for __proto__', () => {
    expect(faults('{ "mcpServers": { "a": { "command": "x", "__proto__": { "y": 1 } } } }')[0]?.message).toBe(
      'The key __proto__ is not allowed',
    )
  })
})

it('system.json names unknown keys', () => {
  const parsed = parseSystemFile('{ "auth": { "bcryptRound": 12 } }', '/c/system.json')
  expect(parsed.ok ? [] : parsed.faults).toMatchObject([
    { path: 'auth.bcryptRound', message: 'Unknown key bcryptRound' },
  ])
})

it('system.json of another machine may hold references where a value must be, and nothing else that is wrong', () => {
  const hook = { url: 'https://chat.example/hook', secret: '${secret:WEBHOOK_CHAT}' }
  const parse = (webhook: object) =>
    parseSystemFile(JSON.stringify({ monitoring: { webhooks: { chat: webhook } } }), '/c/system.json')
  expect(parse(hook)).toMatchObject({ ok: true, value: { monitoring: { webhooks: { chat: hook } } } })
  expect(parse({ ...hook, url: '${CHAT_HOOK}' })).toMatchObject({ ok: true })
  expect(parse({ ...hook, enabled: 'yes' })).toMatchObject({
    ok: false,
    faults: [{ path: 'monitoring.webhooks.chat.enabled' }],
  })
  expect(parse({ url: hook.url })).toMatchObject({ ok: false, faults: [{ path: 'monitoring.webhooks.chat.secret' }] })
})

it('prefixes keep names of other scripts apart', () => {
  expect(serverPrefix('My Server!')).toBe('My_Server')
  expect(serverPrefix('天气')).not.toBe(serverPrefix('地图'))
  expect(serverPrefix('a__b')).toBe('a_b')
})

describe('pasting', () => {
  const only = (text: string) =>
    parsePaste(text, ['taken'], () => []).servers.map(({ name, config, faults: found }) => [name, config, found.length])
  it.each<[string, unknown]>([
    [
      'npx -y @acme/mcp-server-github@1.2.0 --flag "two words"',
      ['github', { command: 'npx', args: ['-y', '@acme/mcp-server-github@1.2.0', '--flag', 'two words'] }, 0],
    ],
    ['KEY=abc uvx mcp-server-time', ['time', { command: 'uvx', args: ['mcp-server-time'], env: { KEY: 'abc' } }, 0]],
    ['https://mcp.linear.app/sse', ['linear', { type: 'sse', url: 'https://mcp.linear.app/sse' }, 0]],
    ['https://api.example.com/mcp', ['example', { type: 'http', url: 'https://api.example.com/mcp' }, 0]],
    ['{"mcpServers":{"a":{"command":"x"}}}', ['a', { command: 'x' }, 0]],
    ['{"servers":{"a":{"type":"http","url":"https://x/mcp"}}}', ['a', { type: 'http', url: 'https://x/mcp' }, 0]],
    ['"a": { "command": "x" }', ['a', { command: 'x' }, 0]],
    [
      '{"command":"node","args":["/opt/weather/dist/index.js"]}',
      ['weather', { command: 'node', args: ['/opt/weather/dist/index.js'] }, 0],
    ],
    ['{"mcpServers":{"a":{"command":"x","nonsense":1}}}', ['a', { command: 'x', nonsense: 1 }, 1]],
  ])('%s', (text, expected) => {
    expect(only(text)).toEqual([expected])
  })
  it.each(['', '{ "mcpServers": ', '[]', '{"x":1}', `echo 'open`, 'A=1'])('%j says what is wrong', (text) => {
    const { servers, faults: found } = parsePaste(text, [], () => [])
    expect(servers).toEqual([])
    expect(found[0]?.cure).toBeTruthy()
  })
  it('marks names that exist', () => {
    expect(parsePaste('{"taken":{"command":"x"}}', ['taken'], () => []).servers[0]?.exists).toBe(true)
  })
  it('splits like a shell', () => {
    expect(splitCommandLine(`a 'b c' "d \\"e" f\\ g ''`)).toEqual(['a', 'b c', 'd "e', 'f g', ''])
  })
})

it('references are resolved, and what is missing is a fault with its cure', () => {
  const config: ServerConfig = { command: '${home}/x', args: ['${env:A}', '${secret:S}', '${MISSING}'] }
  const { resolved, faults: found } = resolveReferences(config, {
    env: (name) => (name === 'A' ? 'a' : undefined),
    secret: (name) => (name === 'S' ? 's' : undefined),
  })
  expect(resolved).toMatchObject({ command: `${os.homedir()}/x`, args: ['a', 's', ''] })
  expect(found).toMatchObject([{ path: 'args[2]', cure: expect.stringContaining('MISSING') as string }])
})

it.each([
  ['15m', 900],
  ['1h', 3_600],
  ['7d', 604_800],
  ['90', 90],
  ['soon', null],
])('%s is %s seconds', (text, seconds) => {
  expect(parseDuration(text)).toBe(seconds)
})

describe('the configuration on disk', () => {
  let dir: string
  beforeEach(async () => {
    dir = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-config-'))
  })
  afterEach(() => rm(dir, { recursive: true, force: true }))

  it('keeps comments, order and everything else when an entry changes', async () => {
    const before =
      '{\n  // my servers\n  "mcpServers": {\n    "a": { "command": "x" }, // first\n    "b": { "command": "y" }\n  }\n}\n'
    await writeFile(path.join(dir, 'servers.json'), before)
    const store = await openConfigStore(await openFiles(dir))
    await store.saveServer('b', { command: 'z' })
    const after = await readFile(path.join(dir, 'servers.json'), 'utf8')
    expect(after).toContain('// my servers')
    expect(after).toContain('// first')
    expect(store.servers.mcpServers['b']).toEqual({ command: 'z' })
    await store.saveServer('a', { command: 'x' }, { rename: 'renamed' })
    expect(Object.keys(store.servers.mcpServers)).toEqual(['renamed', 'b'])
    await store.dispose()
  })

  it('takes no name that every object has for an entry', async () => {
    const store = await openConfigStore(await openFiles(dir))
    const profile = (...tools: string[]): Profile => ({
      servers: { a: { tools: { overrides: Object.fromEntries(tools.map((tool) => [tool, { title: 'T' }])) } } },
    })
    for (const tools of [['toString', 'echo'], ['echo'], ['hasOwnProperty', 'echo']]) {
      await store.saveProfile('p', profile(...tools))
      expect(store.profiles.profiles['p']).toEqual(profile(...tools))
    }
    await store.dispose()
  })

  it('writes of an entry only what differs, and keeps the comments in it', async () => {
    const entry = `"a": { // mine
      "command": "x", /* not 2 */ "args": ["-y", /* the old one */ "b@1"],
      "env": { "A": "1" },
      "hub": {
        // not before noon
        "description": "a note"
      }
    }`
    const text = (name = entry): string => `{ "mcpServers": { "z": { "command": "z" }, ${name} } }`
    await writeFile(path.join(dir, 'servers.json'), text())
    const store = await openConfigStore(await openFiles(dir))
    const present = store.servers.mcpServers['a'] as StdioServerConfig
    const { env: _env, ...withoutEnv } = present
    await store.saveServer('a', { ...withoutEnv, hub: { ...present.hub, enabled: false } })
    expect(store.servers.mcpServers['a']).toEqual({ ...withoutEnv, hub: { ...present.hub, enabled: false } })
    await store.saveServer('a', present, { rename: 'b' })
    expect(Object.entries(store.servers.mcpServers)).toEqual([
      ['z', { command: 'z' }],
      ['b', present],
    ])
    const after = await readFile(path.join(dir, 'servers.json'), 'utf8')
    for (const comment of ['// mine', '/* not 2 */', '/* the old one */', '// not before noon'])
      expect(after).toContain(comment)
    await store.dispose()
  })

  it('makes an entry of the one in the file, whatever was known before', async () => {
    const store = await openConfigStore(await openFiles(dir))
    await store.saveServer('a', { command: 'x' })
    await writeFile(path.join(dir, 'servers.json'), '{ "mcpServers": { "a": { "command": "theirs" } } }')
    await store.saveServer('a', (present) => ({ ...present, hub: { enabled: false } }) as ServerConfig)
    expect(store.servers.mcpServers['a']).toEqual({ command: 'theirs', hub: { enabled: false } })
    await store.dispose()
  })

  it('tells of what somebody else changed also where a change of its own is the first to see it', async () => {
    const store = await openConfigStore(await openFiles(dir))
    const told: string[] = []
    store.watch((changed) => told.push([...changed].join()))
    // Waits until the watch has had its first look.
    await store.saveProfile('mine', { servers: {} })
    await writeFile(path.join(dir, 'servers.json'), '{ "mcpServers": { "theirs": { "command": "x" } } }')
    await store.saveProfile('another', { servers: {} })
    expect(told).toEqual(['servers'])
    await writeFile(path.join(dir, 'profiles.json'), '{ broken')
    await store.saveSystem(['server', 'port'], () => 4_000)
    expect([told, store.faults.length]).toEqual([['servers', 'profiles'], 1])
    await writeFile(path.join(dir, 'profiles.json'), '{ "profiles": { "theirs": { "servers": {} } } }')
    await store.saveProfile('another', { servers: {} })
    expect(told).toEqual(['servers', 'profiles', 'profiles'])
    await store.dispose()
  })

  it('gives system.json the values of its references, and keeps what is written for whatever goes elsewhere', async () => {
    await writeFile(path.join(dir, 'key'), `${'k'.repeat(40)}\n`)
    const written = {
      server: { host: '${HUB_HOST:-127.0.0.1}' },
      auth: { jwtSecret: `\${file:${path.join(dir, 'key')}}`, jwtExpiresIn: '${secret:TTL}' },
    }
    await writeFile(path.join(dir, 'system.json'), JSON.stringify(written))
    const store = await openConfigStore(await openFiles(dir), {
      env: () => undefined,
      secret: (name) => (name === 'TTL' ? '15m' : undefined),
      file: readSecretFile,
    })
    expect(store.faults).toEqual([])
    expect(store.system).toEqual({
      server: { host: '127.0.0.1' },
      auth: { jwtSecret: 'k'.repeat(40), jwtExpiresIn: '15m' },
    })
    expect(store.systemAsWritten).toEqual(written)
    await store.saveSystem(['server', 'port'], () => 4_000)
    expect(await readFile(path.join(dir, 'system.json'), 'utf8')).toContain('${secret:TTL}')
    await store.dispose()
  })

  it('lets an entry refer only to files of the folders that are meant for it', async () => {
    await mkdir(path.join(dir, 'secrets'))
    await writeFile(path.join(dir, 'secrets', 'token'), 'inside')
    await writeFile(path.join(dir, 'outside'), 'outside')
    await symlink('../outside', path.join(dir, 'secrets', 'link'))
    const read = readFileBelow([path.join(dir, 'secrets')])
    expect(read(path.join(dir, 'secrets', 'token')).value).toBe('inside')
    for (const way of ['outside', 'secrets/../outside', 'secrets/link', 'secrets'])
      expect(read(path.join(dir, way))).toMatchObject({
        value: undefined,
        problem: expect.stringContaining('only files below') as string,
      })
  })

  it('lets an entry refer to none of the files of the hub itself', async () => {
    const data = path.join(dir, 'data')
    await mkdir(path.join(data, 'versions'), { recursive: true })
    const own = ['users.json', 'data/jwt-secret', 'data/versions/1.json']
    const before = [
      'system.json.bak',
      'SERVERS.JSON',
      'Users.json.bak',
      'user-versions.json',
      'setup-code',
      'audit.db-wal',
    ]
    for (const file of [...own, ...before, 'token']) await writeFile(path.join(dir, file), 'inside')
    await symlink('users.json', path.join(dir, 'link'))
    const read = readFileBelow([dir], data)
    expect(read(path.join(dir, 'token')).value).toBe('inside')
    for (const way of [...own, ...before, 'link'])
      expect(read(path.join(dir, way))).toMatchObject({
        value: undefined,
        problem: expect.stringContaining('a file of the hub itself') as string,
      })
    // All in one folder, and the one of the configuration in that of the data.
    for (const all of [dir, path.dirname(dir)]) {
      expect(readFileBelow([dir], all)(path.join(dir, 'token')).value).toBe('inside')
      expect(readFileBelow([dir], all)(path.join(data, 'jwt-secret')).value).toBeUndefined()
    }
    expect(readFileBelow([data], data)(path.join(data, 'versions', '1.json')).value).toBeUndefined()
  })

  it('takes a file as Kubernetes mounts it for one of its folder', async () => {
    const mount = path.join(dir, 'mount')
    await mkdir(path.join(mount, '..2026_01_01'), { recursive: true })
    await writeFile(path.join(mount, '..2026_01_01', 'token'), 'inside')
    await symlink('..2026_01_01', path.join(mount, '..data'))
    await symlink('..data/token', path.join(mount, 'token'))
    expect(readFileBelow([mount])(path.join(mount, 'token'))).toEqual({ value: 'inside', problem: null })
  })

  it('loses none of many edits at once, and leaves no other file', async () => {
    const store = await openConfigStore(await openFiles(dir))
    await Promise.all(Array.from({ length: 20 }, (_, index) => store.saveServer(`s${index}`, { command: 'x' })))
    expect(Object.keys(store.servers.mcpServers)).toHaveLength(20)
    expect(await readdir(dir)).toEqual(['servers.json', 'servers.json.bak'])
    await store.dispose()
  })
})
