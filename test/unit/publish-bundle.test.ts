import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseEnv } from 'node:util'
import { previewSchema, targetSchema, type TargetInput } from '../../hub/contract/publish.ts'
import { createBundle, type Bundle, type BundleInput } from '../../hub/publish/bundle.ts'
import { createPublisher } from '../../hub/publish/index.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(folder.path)
})
afterAll(() => folder.dispose())

/** That of the documentation of age. */
const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'
const secrets = ['a-github-token-value', 'a-header-value-x', 'a-url-password-x', 'an-argument-value']
const keys = {
  jwtSecret: 'a-jwt-secret-of-more-than-32-characters',
  jwtSecretPrevious: 'an-older-jwt-secret-of-more-than-32-characters',
}

function input(target: Partial<TargetInput> = {}): BundleInput {
  return {
    servers: {
      github: {
        command: 'npx',
        args: ['-y', 'server-github', '--api-key', 'an-argument-value'],
        env: { GITHUB_TOKEN: 'a-github-token-value' },
      },
      remote: { url: 'https://me:a-url-password-x@mcp.example.com/mcp', headers: { 'X-Api-Key': 'a-header-value-x' } },
      python: { command: 'uvx', args: ['mcp-server-git'] },
    },
    system: {
      auth: { mcp: 'none', ...keys, bcryptRounds: 12 },
      server: { port: 3737, host: '127.0.0.1' },
    },
    target: targetSchema.parse({
      domain: 'hub.example.com',
      ...((target.instances ?? 1) > 1 ? { services: ['database'] } : {}),
      ...target,
    }),
    distDir: folder.path,
    version: '1.2.3',
  }
}

function text(bundle: Bundle, path: string): string {
  const file = bundle.files.find((candidate) => candidate.path === path)
  if (file === undefined || file.text === null) throw new Error(`no ${path}`)
  return file.text
}

describe('a bundle', () => {
  it('is the same, byte for byte, for the same input', async () => {
    expect(await createBundle(input({ instances: 3 }))).toEqual(await createBundle(input({ instances: 3 })))
  })

  it('holds what a target needs, and no source map', async () => {
    const { files } = await createBundle(input())
    expect(files.map(({ path }) => path).filter((path) => !path.startsWith('web/'))).toEqual([
      '.env.example',
      'PORTABILITY.md',
      'README.md',
      'README.zh-CN.md',
      'apache/mcp-hub.conf',
      'config/profiles.json',
      'config/servers.json',
      'config/system.json',
      'docker/Dockerfile',
      'docker/Dockerfile.dockerignore',
      'docker/compose.yaml',
      'docker/nginx.conf',
      'helm/Chart.yaml',
      'helm/templates/availability.yaml',
      'helm/templates/backup.yaml',
      'helm/templates/config.yaml',
      'helm/templates/hub.yaml',
      'helm/templates/ingress.yaml',
      'helm/templates/network-policies.yaml',
      'helm/templates/service-account.yaml',
      'helm/templates/services.yaml',
      'helm/templates/storage.yaml',
      'helm/templates/web.yaml',
      'helm/values.yaml',
      'hub/server.js',
      'k8s/availability.yaml',
      'k8s/backup.yaml',
      'k8s/config.yaml',
      'k8s/hub.yaml',
      'k8s/ingress.yaml',
      'k8s/kustomization.yaml',
      'k8s/namespace.yaml',
      'k8s/network-policies.yaml',
      'k8s/optional/gateway.yaml',
      'k8s/optional/secret.example.yaml',
      'k8s/service-account.yaml',
      'k8s/services.yaml',
      'k8s/storage.yaml',
      'k8s/web.yaml',
      'nginx/mcp-hub.conf',
      'nginx/nginx.conf',
      'ops/alerts.test.yml',
      'ops/alerts.yml',
      'ops/backup.sh',
      'ops/crontab',
      'ops/deploy.sh',
      'ops/encryption.sh',
      'ops/firewall.nft',
      'ops/grafana-dashboard.json',
      'ops/hub-data.sh',
      'ops/hubs.sh',
      'ops/in-web.sh',
      'ops/install.sh',
      'ops/lib.sh',
      'ops/logrotate.conf',
      'ops/manager-docker.sh',
      'ops/manager-pm2.sh',
      'ops/manager-systemd.sh',
      'ops/preflight.sh',
      'ops/prometheus.yml',
      'ops/restore-drill.sh',
      'ops/restore.sh',
      'ops/rollback.sh',
      'ops/smoke.sh',
      'ops/switch.sh',
      'ops/target.env',
      'ops/upgrade.sh',
      'package.json',
      'pm2/ecosystem.config.cjs',
      'systemd/mcp-hub-backup.service',
      'systemd/mcp-hub-backup.timer',
      'systemd/mcp-hub-doctor.service',
      'systemd/mcp-hub-doctor.timer',
      'systemd/mcp-hub-restore-drill.service',
      'systemd/mcp-hub-restore-drill.timer',
      'systemd/mcp-hub.target',
      'systemd/mcp-hub@.service',
      'systemd/mcp-hub@.socket',
      'manifest.json',
      'SHA256SUMS',
    ])
  })

  it('holds the value of no secret, not even the one of system.json', async () => {
    const bundle = await createBundle(input())
    const all = bundle.files.map((file) => file.text ?? '').join('\n')
    for (const secret of [...secrets, ...Object.values(keys)]) expect(all).not.toContain(secret)
  })

  it('names every secret in .env.example, without a value', async () => {
    const bundle = await createBundle(input())
    const names = parseEnv(text(bundle, '.env.example'))
    expect(Object.keys(names).sort()).toEqual(bundle.secrets.map(({ name }) => name).sort())
    expect(Object.values(names).join('')).toBe('')
  })

  it('names the services that the target uses, by their variables and never by a value', async () => {
    const target = { services: ['database', 'redis', 'traces', 'sentry'] as const, logLevel: 'debug' as const }
    const bundle = await createBundle(input({ ...target, services: [...target.services] }))
    const names = ['DATABASE_URL', 'REDIS_URL', 'OTEL_EXPORTER_OTLP_ENDPOINT', 'SENTRY_DSN']
    expect(parseEnv(text(bundle, '.env.example'))).toMatchObject(Object.fromEntries(names.map((name) => [name, ''])))
    for (const name of names) {
      expect(bundle.secrets).toContainEqual(expect.objectContaining({ name, generated: false }))
      expect(text(bundle, 'pm2/ecosystem.config.cjs')).toContain(`'${name}'`)
      expect(text(bundle, 'docker/compose.yaml')).toContain(
        name.endsWith('_URL') ? `\${${name}_FILE:-/dev/null}` : `${name}: \${${name}:?is empty.`,
      )
      for (const readme of ['README.md', 'README.zh-CN.md']) expect(text(bundle, readme)).toContain(`| \`${name}\` |`)
    }
    expect(text(bundle, 'pm2/ecosystem.config.cjs')).toContain("LOG_LEVEL: 'debug'")
    expect(text(bundle, 'docker/compose.yaml')).toContain('LOG_LEVEL: debug')
    const plain = await createBundle(input())
    for (const name of [...names, 'LOG_LEVEL'])
      for (const file of ['.env.example', 'pm2/ecosystem.config.cjs', 'docker/compose.yaml'])
        expect(text(plain, file)).not.toContain(name)
  })

  it('has several hubs only where they share a database, and says why', () => {
    const parse = (target: object): ReturnType<typeof targetSchema.safeParse> =>
      targetSchema.safeParse({ domain: 'hub.example.com', instances: 2, ...target })
    expect(parse({}).error?.issues).toMatchObject([
      { path: ['services'], message: expect.stringContaining('needs the service database') as string },
    ])
    expect(parse({ services: ['redis'] }).success).toBe(false)
    expect(parse({ services: ['database'] }).success).toBe(true)
    expect(parse({ instances: 1 }).success).toBe(true)
  })

  it('holds a reference in the place of what signs a webhook, and leaves out where faults are reported', async () => {
    const dsn = 'https://abcdef0123456789@sentry.example.com/7'
    const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
    const url = 'https://ops.example.com/'
    const webhooks = { 'my-ops': { url, secret }, other: { url, secret: '${secret:OTHER_HOOK}' } }
    const bundle = await createBundle({ ...input(), system: { monitoring: { sentryDsn: dsn, webhooks } } })
    const all = bundle.files.map((file) => file.text ?? '').join('\n')
    for (const value of [dsn, secret]) expect(all).not.toContain(value)
    const system = JSON.parse(text(bundle, 'config/system.json')) as { monitoring: unknown }
    expect(system.monitoring).toEqual({
      webhooks: {
        'my-ops': { url, secret: '${secret:WEBHOOK_MY_OPS_SECRET}' },
        other: { url, secret: '${secret:OTHER_HOOK}' },
      },
    })
    for (const name of ['WEBHOOK_MY_OPS_SECRET', 'OTHER_HOOK'])
      expect(bundle.secrets).toContainEqual(expect.objectContaining({ name, generated: false }))
  })

  it('turns the settings into those of a server', async () => {
    const system: unknown = JSON.parse(text(await createBundle(input({ httpsPort: 8443 })), 'config/system.json'))
    expect(system).toEqual({
      auth: { mcp: 'token', bcryptRounds: 12 },
      server: {
        allowedHosts: ['hub.example.com'],
        publicUrl: 'https://hub.example.com:8443',
        trustProxy: ['loopback', 'uniquelocal'],
        cors: { origin: ['https://hub.example.com:8443'] },
      },
      backup: { folder: '/opt/mcp-hub/backups' },
      logging: { level: 'info', maxFiles: 10, maxSize: '10m' },
    })
  })

  it('sends a client to one hub where there are several, and reloads without a gap where there is one', async () => {
    const one = await createBundle(input())
    expect(text(one, 'nginx/mcp-hub.conf')).not.toMatch(/^ +hash /m)
    expect(text(one, 'pm2/ecosystem.config.cjs')).toContain(`exec_mode: 'cluster'`)
    const three = await createBundle(input({ instances: 3, basePort: 4100 }))
    expect(text(three, 'nginx/mcp-hub.conf')).toContain('hash $remote_addr$http_authorization consistent;')
    const [all = '', ...pools] = text(three, 'nginx/mcp-hub.conf')
      .split(/^upstream mcp_hub/m)
      .slice(1)
    expect(all.match(/server 127\.0\.0\.1:41\d\d/g)).toEqual([
      'server 127.0.0.1:4100',
      'server 127.0.0.1:4101',
      'server 127.0.0.1:4102',
    ])
    // A session goes to the hub that has it, and while that is away to one that goes on with it, always the same.
    expect(all).toContain('~^4101\\. mcp_hub_4101;')
    expect(pools[1]?.match(/server .*;/g)).toEqual([
      'server 127.0.0.1:4101 fail_timeout=2s;',
      'server 127.0.0.1:4102 fail_timeout=2s backup weight=1000000;',
      'server 127.0.0.1:4100 fail_timeout=2s backup;',
    ])
    expect(text(three, 'pm2/ecosystem.config.cjs')).toContain('MCP_HUB_INSTANCE: String(port)')
    expect(text(three, 'docker/compose.yaml')).toContain('MCP_HUB_INSTANCE: "3"')
    expect(text(three, 'pm2/ecosystem.config.cjs')).toContain(`exec_mode: 'fork'`)
    // Without a database several do not start, whoever runs them.
    for (const name of ['pm2/ecosystem.config.cjs', 'systemd/mcp-hub@.service', 'docker/compose.yaml']) {
      expect(text(three, name), name).toMatch(/MCP_HUB_SHARED(?:: |=)['"]?yes/)
      expect(text(one, name), name).not.toContain('MCP_HUB_SHARED')
    }
    expect(text(three, 'docker/compose.yaml')).toMatch(/ {2}hub-3:\n/)
    // By a name that can be taken from a container that runs; one hub by its other name meanwhile.
    const hubs = (bundle: Bundle): string[] => [
      ...new Set(text(bundle, 'docker/nginx.conf').match(/server .*resolve.*;/g)),
    ]
    expect(hubs(one)).toEqual([
      'server mcp-hub-hub-in-use:3000 fail_timeout=0 resolve;',
      'server hub:3000 fail_timeout=0 resolve backup;',
    ])
    expect(hubs(three)).toContain('server mcp-hub-hub-3-in-use:3000 fail_timeout=0 resolve;')
  })

  it('writes HTTP/2 as the nginx of the target has it', async () => {
    for (const nginxVersion of ['1.22', '1.24'] as const) {
      const site = text(await createBundle(input({ nginxVersion })), 'nginx/mcp-hub.conf')
      expect(site).toContain('listen 443 ssl http2;')
      expect(site).not.toContain('http2 on;')
    }
    for (const nginxVersion of ['1.26', '1.28', '1.30'] as const) {
      const site = text(await createBundle(input({ nginxVersion })), 'nginx/mcp-hub.conf')
      expect(site).toMatch(/listen 443 ssl;\n.*listen \[::\]:443 ssl;\n {2}http2 on;/)
      expect(site).not.toContain('ssl http2')
    }
  })

  it('leads with the steps of its mode, in both languages with the same commands', async () => {
    const commands = (markdown: string): string[] =>
      [...markdown.matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block)
    for (const [mode, command] of [
      ['pm2', 'ops/deploy.sh'],
      ['systemd', 'ops/deploy.sh'],
      ['docker', 'docker compose'],
    ] as const) {
      const bundle = await createBundle(input({ mode }))
      const english = commands(text(bundle, 'README.md'))
      expect(commands(text(bundle, 'README.zh-CN.md'))).toEqual(english)
      expect(english.join('\n')).toContain(command)
    }
  })

  it('has its backups encrypted for whoever it names, and says in both languages how they are restored', async () => {
    const open = await createBundle(input())
    const closed = await createBundle(input({ backupRecipients: [RECIPIENT] }))
    expect(text(open, 'ops/target.env')).toContain("BACKUP_RECIPIENTS=''")
    expect(text(closed, 'ops/target.env')).toContain(`BACKUP_RECIPIENTS='${RECIPIENT}'`)
    for (const file of ['README.md', 'README.zh-CN.md']) {
      expect(text(open, file)).not.toContain('--identity')
      for (const told of [RECIPIENT, 'restore.sh /opt/mcp-hub/backups/latest --identity KEY_FILE', 'rsync age\n'])
        expect(text(closed, file)).toContain(told)
    }
  })

  it('puts Python and uv into the image only where a server needs them', async () => {
    expect(text(await createBundle(input({ mode: 'docker' })), 'docker/Dockerfile')).toContain('COPY --from=uv')
    expect(text(await createBundle({ ...input({ mode: 'docker' }), servers: {} }), 'docker/Dockerfile')).not.toContain(
      'uv',
    )
  })

  it('says where the build is missing', async () => {
    await expect(createBundle({ ...input(), distDir: `${folder.path}/nowhere` })).rejects.toMatchObject({
      cure: 'Build the program first: npm run build',
    })
  })
})

describe('a preview', () => {
  it('is what the contract says, and passes every check that can be run', { timeout: 20_000 }, async () => {
    const { servers, system, target, distDir, version } = input()
    const publisher = createPublisher({
      loadServers: () => ({ mcpServers: servers }),
      loadSystem: () => system,
      distDir,
      version,
    })
    const preview = previewSchema.parse(await publisher.preview(target))
    expect(preview.checks.filter(({ outcome }) => outcome === 'failed')).toEqual([])
    expect(
      preview.checks.filter(({ artifact }) => artifact.startsWith('config/')).map(({ outcome }) => outcome),
    ).toEqual(['passed', 'passed', 'passed'])
    expect(preview.totalBytes).toBe(preview.files.reduce((sum, { bytes }) => sum + bytes, 0))
  })
})

describe('a target', () => {
  it.each([
    '',
    'a b',
    '-x.example.com',
    'hub.example.com/',
    '10.0.0.1',
    `${'a'.repeat(64)}.com`,
    'hub.example.com; return 200',
  ])('refuses the domain %j', (domain) => {
    expect(targetSchema.safeParse({ domain }).success).toBe(false)
  })

  it('takes public keys of age that are whole, and nothing else, to encrypt backups for', () => {
    const accepts = (key: string): boolean =>
      targetSchema.safeParse({ domain: 'x.org', backupRecipients: [key] }).success
    expect(accepts(RECIPIENT)).toBe(true)
    const mistyped = RECIPIENT.replace('hjy54', 'hjy45')
    const secret = `AGE-SECRET-KEY-1${'Q'.repeat(58)}`
    for (const wrong of [mistyped, RECIPIENT.slice(0, -1), RECIPIENT.toUpperCase(), 'ssh-ed25519 AAAA', secret, ''])
      expect(accepts(wrong), wrong).toBe(false)
  })

  it.each(['/opt/mcp hub', 'opt/mcp', '/opt/x;y', '/opt/$x'])('refuses the folder %j', (installDir) => {
    expect(targetSchema.safeParse({ domain: 'x.org', installDir }).success).toBe(false)
  })
})
