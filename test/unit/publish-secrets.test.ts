import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { looksLikeSecret, splitSecrets } from '../../hub/config/secret-patterns.ts'
import { checkSecrets } from '../../hub/publish/checks/secrets.ts'
import { externaliseSecrets } from '../../hub/publish/externalise.ts'

describe('a value that looks like a secret', () => {
  it.each([
    ['GITHUB_TOKEN', 'x'],
    ['apiKey', 'abc'],
    ['PGPASSWORD', 'hunter2'],
    ['X-Api-Key', 'abc'],
    ['Authorization', 'Bearer abc'],
    ['ANYTHING', 'ghp_abcdefghijklmnop1234'],
    ['ANYTHING', 'prefix glpat-abcdefghij1234567890'],
    ['ANYTHING', '-----BEGIN OPENSSH PRIVATE KEY-----\nx\n-----END OPENSSH PRIVATE KEY-----'],
    ['ANYTHING', 'Zk93jfKe02LmPqXr81VtYw7B'],
    ['ANYTHING', '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b'],
    ['DATABASE_URL', 'postgres://app:pa/ss@db.example.com/x'],
    ['url', 'https://mcp.example.com/mcp?api_key=abc'],
    ['url', 'https://mcp.example.com/s/Zk93jfKe02LmPqXr81VtYw7B/mcp'],
    ['SLACK_WEBHOOK_URL', 'https://hooks.example.com/services/T0/B0/x'],
  ])('finds %s=%s', (key, value) => {
    expect(looksLikeSecret(key, value)).toBe(true)
  })

  it.each([
    ['GITHUB_TOKEN', '${secret:GITHUB_TOKEN}'],
    ['Authorization', 'Bearer ${env:TOKEN}'],
    ['MAX_TOKENS', '4096'],
    ['USE_AUTH', 'true'],
    ['GOOGLE_APPLICATION_CREDENTIALS', '/etc/mcp/key.json'],
    ['SORT_KEY', 'name'],
    ['command', '@modelcontextprotocol/server-everything@2026.8.31'],
    ['url', 'https://mcp.example.com/mcp?region=eu'],
    ['REGION', 'eu-central-1'],
    ['TOKEN', ''],
  ])('leaves %s=%s', (key, value) => {
    expect(looksLikeSecret(key, value)).toBe(false)
  })

  it('cuts a value without changing any of it', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (key, value) => {
        expect(
          splitSecrets(key, value)
            .map(({ text }) => text)
            .join(''),
        ).toBe(value)
      }),
    )
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true, withFragments: true }), (value) => {
        expect(
          splitSecrets('url', value)
            .map(({ text }) => text)
            .join(''),
        ).toBe(value)
      }),
      // Making URLs is slow.
      { numRuns: 40 },
    )
  })
})

describe('taking the secrets out of a configuration', () => {
  it('replaces each by a reference, whatever place it has', () => {
    const { servers, needs } = externaliseSecrets({
      github: {
        command: 'npx',
        args: ['-y', 'server-github', '--api-key', 'abc-1', '--header=X-Api-Key: abc-2'],
        env: { GITHUB_TOKEN: 'abc-3', REGION: 'eu' },
      },
      remote: { url: 'https://me:abc-4@example.com/mcp?token=abc-5&x=1', headers: { Authorization: 'Bearer abc-6' } },
    })
    expect(servers).toEqual({
      github: {
        command: 'npx',
        args: [
          '-y',
          'server-github',
          '--api-key',
          '${secret:GITHUB_API_KEY}',
          '--header=X-Api-Key: ${secret:GITHUB_X_API_KEY}',
        ],
        env: { GITHUB_TOKEN: '${secret:GITHUB_TOKEN}', REGION: 'eu' },
      },
      remote: {
        url: 'https://me:${secret:REMOTE_PASSWORD}@example.com/mcp?token=${secret:REMOTE_TOKEN}&x=1',
        headers: { Authorization: 'Bearer ${secret:REMOTE_AUTHORIZATION}' },
      },
    })
    expect(needs.map(({ name }) => name)).toEqual([
      'GITHUB_API_KEY',
      'GITHUB_TOKEN',
      'GITHUB_X_API_KEY',
      'REMOTE_AUTHORIZATION',
      'REMOTE_PASSWORD',
      'REMOTE_TOKEN',
    ])
  })

  it('lists references that are there already, and never asks for what every system has', () => {
    const { servers, needs, findings } = externaliseSecrets({
      a: { command: 'x', env: { KEY: '${secret:SHARED}', HOME: '${env:HOME}' } },
      b: { command: 'x', env: { KEY: '${env:SHARED}' } },
    })
    expect(servers['a']).toEqual({ command: 'x', env: { KEY: '${secret:SHARED}', HOME: '${env:HOME}' } })
    expect(needs).toEqual([{ name: 'SHARED', usedBy: 'a: env.KEY, b: env.KEY', generated: false }])
    expect(findings).toMatchObject([{ code: 'needs-secret', path: 'SHARED' }])
  })

  it('gives a reference a name that an environment file can hold', () => {
    const { servers, needs } = externaliseSecrets({
      notes: { command: 'x', env: { A: '${secret:my token}', B: '${secret:my token}', C: '${C}' } },
    })
    expect(servers['notes']).toMatchObject({
      env: { A: '${secret:NOTES_MY_TOKEN}', B: '${secret:NOTES_MY_TOKEN}', C: '${C}' },
    })
    expect(needs.map(({ name }) => name)).toEqual(['C', 'NOTES_MY_TOKEN'])
  })

  it('never takes a name that means something to the hub, or one that is in use', () => {
    const { servers } = externaliseSecrets({
      jwt: { command: 'x', env: { SECRET: 'one' } },
      'mcp hub': { command: 'x', env: { TOKEN: 'two', TOKEN_2: 'three' } },
      other: { command: 'x', env: { KEY: '${secret:JWT_SECRET_2}' } },
    })
    expect(servers['jwt']).toMatchObject({ env: { SECRET: '${secret:JWT_SECRET_3}' } })
    expect(servers['mcp hub']).toMatchObject({
      env: { TOKEN: '${secret:MCP_HUB_TOKEN_2}', TOKEN_2: '${secret:MCP_HUB_TOKEN_2_2}' },
    })
  })

  it('leaves no secret of any shape behind', () => {
    const secret = fc.stringMatching(/^[A-Za-z0-9]{12,40}$/)
    fc.assert(
      fc.property(secret, secret, secret, secret, (a, b, c, d) => {
        const { servers } = externaliseSecrets({
          s: { command: 'x', args: ['--token', a, `--password=${b}`], env: { API_KEY: c } },
          r: {
            url: `https://u:${d}@example.com/?access_token=${a}`,
            headers: { 'X-Auth-Token': b, Authorization: `Basic ${c}` },
          },
        })
        const text = JSON.stringify(servers).replace(/\$\{secret:\w+\}/g, '')
        for (const value of [a, b, c, d]) expect(text).not.toContain(value)
      }),
    )
  })
})

describe('the search for secrets in what was generated', () => {
  const search = (text: string, ...liftedValues: string[]) =>
    checkSecrets({
      files: [{ path: 'a.json', text, why: '', bytes: 0, sha256: '', mode: 0o644 }],
      liftedValues,
    })

  it.each(['plain-secret', 'with"a quote', 'with\\a backslash', 'two\nlines of it'])(
    'finds %j in any file',
    (value) => {
      expect(search(`x ${value} y`, value)).toMatchObject({ outcome: 'failed', artifact: 'a.json' })
      expect(search(JSON.stringify({ key: value }), value)).toMatchObject({ outcome: 'failed', artifact: 'a.json' })
      expect(search('{}', value)).toMatchObject({ outcome: 'passed' })
    },
  )

  it('says how many it looked for', () => {
    expect(search('{}', 'plain-secret').message).toBe(
      'No generated file holds any of the 1 secrets of this configuration.',
    )
    expect(search('short', 'plain-secret', 'short').message).toBe(
      'No generated file holds any of the 1 secrets that were looked for; not looked for: 1, which are shorter than 8 characters.',
    )
  })
})
