import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { details } from '../../hub/api/audit-acts.ts'
import type { ServerConfig } from '../../hub/contract/index.ts'
import { createSecretLifter, type SecretLifter } from '../../hub/secrets/lifter.ts'
import { createVault, type SecretVault } from '../../hub/secrets/vault.ts'

function setUp(
  servers: Record<string, ServerConfig> = {},
  secrets: Record<string, string> = {},
): { vault: SecretVault; lifter: SecretLifter } {
  const vault = createVault({
    quality: 'file',
    location: 'memory',
    secrets: Object.entries(secrets),
    keep: () => Promise.resolve(),
  })
  return { vault, lifter: createSecretLifter({ vault, servers: () => servers }) }
}

describe('lifting secrets out of an entry', () => {
  it('shows each text with its references, and keeps the values apart', () => {
    const { config, texts, secrets } = setUp().lifter.find('github', {
      command: 'npx',
      args: ['--api-key=abc-1', '--header', 'Authorization: Bearer abc-2'],
      env: { GITHUB_TOKEN: 'abc-3', REGION: 'eu' },
    })
    expect(texts).toEqual([
      { path: 'args[0]', text: '--api-key=${secret:GITHUB_API_KEY}', names: ['GITHUB_API_KEY'] },
      {
        path: 'args[2]',
        text: 'Authorization: Bearer ${secret:GITHUB_AUTHORIZATION}',
        names: ['GITHUB_AUTHORIZATION'],
      },
      { path: 'env.GITHUB_TOKEN', text: '${secret:GITHUB_TOKEN}', names: ['GITHUB_TOKEN'] },
    ])
    expect(config).toEqual({
      command: 'npx',
      args: texts.slice(0, 2).flatMap(({ path, text }) => (path === 'args[0]' ? [text, '--header'] : [text])),
      env: { GITHUB_TOKEN: '${secret:GITHUB_TOKEN}', REGION: 'eu' },
    })
    expect(Object.fromEntries(secrets)).toEqual({
      GITHUB_API_KEY: 'abc-1',
      GITHUB_AUTHORIZATION: 'abc-2',
      GITHUB_TOKEN: 'abc-3',
    })
  })

  it('leaves what a person wants to stay', () => {
    const entry = { command: 'x', env: { A_TOKEN: 'one', B_TOKEN: 'two' } }
    const { config, secrets } = setUp().lifter.find('s', entry, ['env.A_TOKEN'])
    expect(config).toEqual({ command: 'x', env: { A_TOKEN: 'one', B_TOKEN: '${secret:S_B_TOKEN}' } })
    expect([...secrets.keys()]).toEqual(['S_B_TOKEN'])
  })

  it('never gives a value the name of another, and one value one name', () => {
    const { lifter } = setUp(
      { other: { command: 'x', env: { KEY: '${secret:S_B_TOKEN}' } } },
      { S_A_TOKEN: 'somebody else’s', S_C_TOKEN: 'three' },
    )
    const { config, secrets } = lifter.find('s', {
      command: 'x',
      env: { A_TOKEN: 'one', B_TOKEN: 'two', C_TOKEN: 'three' },
    })
    expect(config).toMatchObject({
      env: { A_TOKEN: '${secret:S_A_TOKEN_2}', B_TOKEN: '${secret:S_B_TOKEN_2}', C_TOKEN: '${secret:S_C_TOKEN}' },
    })
    expect(Object.fromEntries(secrets)).toEqual({ S_A_TOKEN_2: 'one', S_B_TOKEN_2: 'two' })
  })

  it('replaces the secret that stood there before, unless something else uses it', () => {
    const s: ServerConfig = { command: 'x', env: { TOKEN: '${secret:OWN}', SHARED_KEY: '${secret:SHARED}' } }
    const { lifter } = setUp({ s, t: { command: 'x', env: { K: '${secret:SHARED}' } } }, { OWN: 'old', SHARED: 'old' })
    const { config, secrets } = lifter.find('s', { command: 'x', env: { TOKEN: 'new', SHARED_KEY: 'new-2' } })
    expect(config).toMatchObject({ env: { TOKEN: '${secret:OWN}', SHARED_KEY: '${secret:S_SHARED_KEY}' } })
    expect(Object.fromEntries(secrets)).toEqual({ OWN: 'new', S_SHARED_KEY: 'new-2' })
  })

  it('puts the vault back when the entry cannot be saved', async () => {
    const { vault, lifter } = setUp({}, { A: 'before' })
    const saving = lifter.keep(new Map([...Object.entries({ A: 'after', B: 'new' })]), () =>
      Promise.reject(new Error('full')),
    )
    await expect(saving).rejects.toThrow('full')
    expect([vault.get('A'), vault.get('B')]).toEqual(['before', undefined])
  })

  it('loses nothing: with the values put back, the entry is what it was', () => {
    const text = fc.oneof(
      fc.string(),
      fc.stringMatching(/^sk-[A-Za-z0-9]{20,30}$/),
      fc.stringMatching(/^--token=\w{8,20}$/),
    )
    fc.assert(
      fc.property(fc.array(text), fc.dictionary(fc.stringMatching(/^[A-Z_]{1,12}$/), text), (args, env) => {
        const entry = { command: 'x', args, env }
        const { config, secrets } = setUp().lifter.find('s', entry)
        const back = (value: string): string =>
          value.replace(/\$\{secret:(\w+)\}/g, (whole, name: string) => secrets.get(name) ?? whole)
        const stdio = config as { args: string[]; env: Record<string, string> }
        expect(stdio.args.map(back)).toEqual(args)
        expect(Object.fromEntries(Object.entries(stdio.env).map(([key, value]) => [key, back(value)]))).toEqual(env)
      }),
    )
  })
})

it('an act of the audit log has no secret of an argument, whatever becomes of the request', () => {
  const args = [
    '--api-key',
    'hunter2a',
    '--password=hunter2b',
    '--header=X-Api-Key: hunter2c',
    'https://host.example/x',
  ]
  const told = details({ servers: { one: { command: 'npx', args: [...args, '--verbose'] } } })
  expect(JSON.parse(told)).toEqual({
    servers: {
      one: {
        command: 'npx',
        args: [
          '--api-key',
          '[redacted]',
          '--password=[redacted]',
          '--header=X-Api-Key: [redacted]',
          'https://host.example/x',
          '--verbose',
        ],
      },
    },
  })
  // What no schema has checked.
  expect(details({ config: { args: ['--api-key', 5, 'hunter2'] } })).toBe('{"config":{"args":"[redacted]"}}')
})
