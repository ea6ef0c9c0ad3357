import { describe, expect, it } from 'vitest'
import type { ServerConfig } from '../../hub/contract/index.ts'
import { targetSchema } from '../../hub/contract/publish.ts'
import { findPortabilityIssues } from '../../hub/publish/portability.ts'

const pm2 = targetSchema.parse({ domain: 'hub.example.com' })
const docker = targetSchema.parse({ domain: 'hub.example.com', mode: 'docker' })

function codes(config: ServerConfig, target = pm2): string[] {
  return findPortabilityIssues({ s: config }, target).map(({ severity, code, path }) => `${severity} ${code} ${path}`)
}

describe('what will not work on the target', () => {
  it('finds nothing in a server that any machine with Node can run', () => {
    expect(codes({ command: 'npx', args: ['-y', '@modelcontextprotocol/server-memory@2026.8.31'] })).toEqual([])
    expect(codes({ url: 'https://mcp.example.com/mcp' })).toEqual([])
  })

  it.each([
    '/Users/me/tools/x',
    '/home/me/x',
    '~/x',
    'C:\\tools\\x',
    'D:/tools/x',
    'file:///Users/me/x',
    '\\\\nas\\share\\x',
  ])('says that %s is a path of this computer', (value) => {
    expect(codes({ command: 'npx', args: ['server@1.0.0', value] })).toEqual([
      'warning local-path mcpServers.s.args[1]',
    ])
    expect(codes({ command: 'npx', args: ['server@1.0.0', `--dir=${value}`] })).toEqual([
      'warning local-path mcpServers.s.args[1]',
    ])
  })

  it('treats a program that exists only here as an error', () => {
    expect(codes({ command: '/home/me/bin/server' })).toEqual(['error local-path mcpServers.s.command'])
  })

  it.each(['http://localhost:3000/mcp', 'http://127.0.0.1/mcp', 'http://[::1]:9/mcp', 'https://nas.local/mcp'])(
    'says that %s points to this computer',
    (url) => {
      expect(codes({ url })).toEqual(['error localhost-url mcpServers.s.url'])
      expect(codes({ command: 'npx', env: { BASE: url } })).toEqual(['warning localhost-url mcpServers.s.env.BASE'])
    },
  )

  it.each(['${file:/home/me/token}', '${file:/run/secrets/x}', '${file:token}'])(
    'says that the bundle does not hold the file of %s, whoever refers to it',
    (value) => {
      expect(codes({ url: 'https://mcp.example.com/mcp', headers: { Authorization: `Bearer ${value}` } })).toEqual([
        'warning local-path mcpServers.s.headers.Authorization',
      ])
      expect(codes({ command: 'node', args: ['-v'], env: { TOKEN: value } })).toEqual([
        'warning local-path mcpServers.s.env.TOKEN',
      ])
    },
  )

  it('says that certificates of a connection are files of this computer', () => {
    const tls = { ca: 'ca.pem', cert: '${secret:CERT}', key: '/home/me/key.pem' }
    expect(codes({ url: 'https://mcp.example.com/mcp', hub: { tls } })).toEqual([
      'warning local-path mcpServers.s.hub.tls.ca',
      'warning local-path mcpServers.s.hub.tls.key',
    ])
  })

  it.each([
    ['node', ['./build/index.js'], 'args[0]'],
    ['node', ['--enable-source-maps', 'server.js'], 'args[1]'],
    ['uv', ['run', 'src/server.py'], 'args[1]'],
    ['npx', ['-y', 'server@1.0.0', '.'], 'args[2]'],
    ['npx', ['-y', 'server@1.0.0', '--root=../files'], 'args[2]'],
  ])('says that %s %j begins at the folder in which the hub runs here', (command, args, path) => {
    const found = findPortabilityIssues({ s: { command, args } }, pm2).filter(({ code }) => code === 'local-path')
    expect(found).toMatchObject([{ severity: 'warning', path: `mcpServers.s.${path}` }])
  })

  it('says so of a folder, a file of variables and a command as well', () => {
    expect(codes({ command: 'npx', args: ['-v'], cwd: '.', envFile: '.env' })).toEqual([
      'warning local-path mcpServers.s.cwd',
      'warning local-path mcpServers.s.envFile',
    ])
    expect(codes({ command: './server' })).toEqual(['error local-path mcpServers.s.command'])
  })

  it('says what of the target a container does not have', () => {
    const config = { command: 'node', args: ['/opt/tools/x.js', '--data=/srv/data'], cwd: '/srv/data' }
    expect(codes(config)).toEqual([])
    expect(codes(config, docker)).toEqual([
      'warning local-path mcpServers.s.args[0]',
      'warning local-path mcpServers.s.args[1]',
      'warning local-path mcpServers.s.cwd',
    ])
    expect(codes({ command: '/opt/tools/x' }, docker)).toEqual(['error local-path mcpServers.s.command'])
    expect(
      codes(
        {
          command: '/usr/local/bin/node',
          args: ['/var/lib/mcp-hub/data/x.js', '/tmp/x', 'https://example.com/srv/x', '@scope/name', 'a/b'],
          env: { DATABASE: 'postgres://db:5432/srv' },
        },
        docker,
      ),
    ).toEqual([])
    expect(codes({ url: 'https://mcp.example.com/mcp', headers: { Accept: 'text/html, /x/y' } }, docker)).toEqual([])
  })

  it('names the command inside a Windows wrapper', () => {
    const [finding] = findPortabilityIssues({ s: { command: 'cmd', args: ['/c', 'npx', '-y', 'x'] } }, pm2)
    expect(finding).toMatchObject({
      severity: 'error',
      code: 'desktop-only',
      cure: 'Make npx the command and keep only the arguments after it.',
    })
  })

  it('asks for runtimes, except those that the image has', () => {
    expect(codes({ command: 'uvx', args: ['mcp-server-git==2026.8.1'] })).toEqual([
      'warning needs-runtime mcpServers.s.command',
    ])
    expect(codes({ command: 'uvx', args: ['mcp-server-git==2026.8.1'] }, docker)).toEqual([
      'info needs-runtime mcpServers.s.command',
    ])
    expect(codes({ command: 'docker', args: ['run', 'x:1.0'] }, docker)).toEqual([
      'error needs-runtime mcpServers.s.command',
    ])
    expect(codes({ command: 'my-server' })).toEqual(['warning needs-runtime mcpServers.s.command'])
  })

  it('never has a file of a bundle for Docker changed, which deploy.sh would refuse', () => {
    const cluster = targetSchema.parse({ domain: 'hub.example.com', mode: 'kubernetes' })
    for (const command of ['my-server', 'java'])
      expect(
        [docker, cluster, pm2].map((target) => findPortabilityIssues({ s: { command } }, target)[0]?.cure),
      ).toEqual([
        expect.stringContaining('in a container of its own'),
        expect.stringContaining('to docker/Dockerfile, stage hub.'),
        expect.stringContaining('Install'),
      ])
  })

  it('warns of servers that drive a browser, and mentions disabled ones', () => {
    expect(codes({ command: 'npx', args: ['@playwright/mcp@0.0.83'] })).toEqual([
      'warning desktop-only mcpServers.s.args',
    ])
    expect(codes({ url: 'https://x.example.com', disabled: true })).toEqual(['info disabled mcpServers.s'])
  })

  it.each([
    ['npx', ['-y', 'server'], 'args[1]', 'server@1.2.3'],
    ['npx', ['-y', '@scope/server@latest', '--port', '1'], 'args[1]', '@scope/server@1.2.3'],
    ['npx', ['@scope/server@^1.0.0'], 'args[0]', '@scope/server@1.2.3'],
    ['npx', ['--package', '@scope/server', 'run-it'], 'args[1]', '@scope/server@1.2.3'],
    ['npx', ['--package=server@2', 'run-it'], 'args[0]', 'server@1.2.3'],
    ['C:\\node\\npx.cmd', ['server'], 'args[0]', 'server@1.2.3'],
    ['bunx', ['server'], 'args[0]', 'server@1.2.3'],
    ['uvx', ['mcp-server-git'], 'args[0]', 'mcp-server-git@1.2.3'],
    ['uvx', ['--python', '3.12', 'mcp-server-git@latest'], 'args[2]', 'mcp-server-git@1.2.3'],
    ['uvx', ['--from', 'mcp-server[all]>=2', 'serve'], 'args[1]', 'mcp-server[all]==1.2.3'],
    ['docker', ['run', '-i', '--rm', '-e', 'TOKEN', 'mcp/git'], 'args[5]', 'mcp/git:1.2.3'],
    [
      'docker',
      ['run', '-it', '-eA=b', '--network=host', 'host:5000/mcp/git:latest', 'serve'],
      'args[4]',
      'host:5000/mcp/git:1.2.3',
    ],
    ['podman', ['run', '--rm', 'postgres:16'], 'args[2]', 'postgres:1.2.3'],
  ])('advises %s %j to name a version', (command, args, path, example) => {
    const found = findPortabilityIssues({ s: { command, args } }, pm2).filter(({ code }) => code === 'unpinned')
    expect(found).toMatchObject([
      { severity: 'info', path: `mcpServers.s.${path}`, cure: expect.stringContaining(` ${example}.`) as string },
    ])
  })

  it.each([
    ['npx', ['-y', 'server@1.2.3']],
    ['npx', ['-y', '@scope/server@1.2.3-beta.1', '--transport', 'stdio']],
    ['npx', ['-p', 'server@1.2.3', 'run-it']],
    ['npx', ['-y', `github:owner/server#${'a'.repeat(40)}`]],
    ['npx', ['./server']],
    ['npx', ['${SERVER}']],
    ['npx', ['--version']],
    ['uvx', ['mcp-server-git==2026.8.1']],
    ['uvx', ['mcp-server-git@0.6.2']],
    ['uvx', ['--from', 'mcp-server[all]==2.0', 'serve']],
    ['uvx', ['--from', `git+https://example.com/x@${'b'.repeat(40)}`, 'serve']],
    ['docker', ['run', '-i', '--rm', 'mcp/git:1.4.0']],
    ['docker', ['run', '-i', `mcp/git@sha256:${'c'.repeat(64)}`]],
    ['docker', ['compose', 'up']],
    ['node', ['server.js']],
  ])('is content with %s %j', (command, args) => {
    const found = findPortabilityIssues({ s: { command, args } }, pm2)
    expect(found.filter(({ code }) => code === 'unpinned')).toEqual([])
  })
})
