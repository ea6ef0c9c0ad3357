import { program } from '../lib/programs.ts'
import { startNode, type Started } from '../lib/processes.ts'
import type { Era } from '../programs/answers.ts'
import type { UpstreamConfig } from '../programs/upstream-config.ts'

export function stdioUpstream(name: string, era: Era = 'legacy', tools = 4): UpstreamConfig {
  const args = [program('upstream'), '--era', era, '--tools', String(tools)]
  return { name, era, kind: 'stdio', command: process.execPath, args }
}

export interface HttpFixture extends Started {
  port: number
  config: UpstreamConfig
}

export async function startHttpUpstream(name: string, era: Era = 'legacy', port = 0): Promise<HttpFixture> {
  const started = await startNode({
    args: [program('upstream'), '--http', String(port), '--era', era],
    ready: /listening on (\d+)\n/,
  })
  const taken = Number(started.printed)
  return { ...started, port: taken, config: { name, era, kind: 'http', url: `http://127.0.0.1:${taken}/mcp` } }
}
