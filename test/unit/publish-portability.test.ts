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
    expect(codes({ command: 'npx', args: ['-y', '@modelcontextprotocol/server-memory'] })).toEqual([])
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
    expect(codes({ command: 'npx', args: ['server', value] })).toEqual(['warning local-path mcpServers.s.args[1]'])
    expect(codes({ command: 'npx', args: [`--dir=${value}`] })).toEqual(['warning local-path mcpServers.s.args[0]'])
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

  it('names the command inside a Windows wrapper', () => {
    const [finding] = findPortabilityIssues({ s: { command: 'cmd', args: ['/c', 'npx', '-y', 'x'] } }, pm2)
    expect(finding).toMatchObject({
      severity: 'error',
      code: 'desktop-only',
      cure: 'Make npx the command and keep only the arguments after it.',
    })
  })

  it('asks for runtimes, except those that the image has', () => {
    expect(codes({ command: 'uvx', args: ['mcp-server-git'] })).toEqual(['warning needs-runtime mcpServers.s.command'])
    expect(codes({ command: 'uvx', args: ['mcp-server-git'] }, docker)).toEqual([
      'info needs-runtime mcpServers.s.command',
    ])
    expect(codes({ command: 'docker', args: ['run', 'x'] }, docker)).toEqual([
      'error needs-runtime mcpServers.s.command',
    ])
    expect(codes({ command: 'my-server' })).toEqual(['warning needs-runtime mcpServers.s.command'])
  })

  it('warns of servers that drive a browser, and mentions disabled ones', () => {
    expect(codes({ command: 'npx', args: ['@playwright/mcp'] })).toEqual(['warning desktop-only mcpServers.s.args'])
    expect(codes({ url: 'https://x.example.com', disabled: true })).toEqual(['info disabled mcpServers.s'])
  })
})
