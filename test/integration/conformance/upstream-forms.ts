import { startHttpFixture, stdioFixture } from '../../fixtures/mcp-servers/fixtures.ts'
import type { HttpFixture } from '../../fixtures/mcp-servers/fixtures.ts'

/** The five ways a server can be behind the hub. */
export const upstreamForms = ['legacy-http', 'legacy-stdio', 'legacy-sse', 'modern-http', 'modern-stdio'] as const
export type UpstreamForm = (typeof upstreamForms)[number]

const fixture = 'conformance/main'

export interface Upstreams {
  /** Entries of `servers.json`, by form. */
  servers: Record<UpstreamForm, unknown>
  stop(): Promise<void>
}

/** The conformance fixture in each of its forms; those over HTTP are running already, the hub starts the others. */
export async function startUpstreams(): Promise<Upstreams> {
  const [legacy, modern, sse] = await Promise.all([
    startHttpFixture(fixture, '--transport', 'http', '--era', 'legacy'),
    startHttpFixture(fixture, '--transport', 'http', '--era', 'modern'),
    startHttpFixture(fixture, '--transport', 'sse'),
  ])
  const running: HttpFixture[] = [legacy, modern, sse]
  return {
    servers: {
      'legacy-http': { type: 'http', url: legacy.url },
      'legacy-stdio': stdioFixture(fixture, '--era', 'legacy'),
      'legacy-sse': { type: 'sse', url: sse.url },
      'modern-http': { type: 'http', url: modern.url },
      'modern-stdio': stdioFixture(fixture, '--era', 'modern'),
    },
    stop: async () => {
      await Promise.all(running.map((one) => one.stop()))
    },
  }
}
