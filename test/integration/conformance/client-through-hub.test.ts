import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runClientScenario } from './run-conformance.ts'
import type { Finding, Report, Revision } from './run-conformance.ts'
import { startHub } from './start-hub.ts'
import type { RunningHub } from './start-hub.ts'

const client = `${process.execPath} ${join(import.meta.dirname, 'scenario-client.ts')}`

const scenarios: { revision: Revision; scenario: string }[] = [
  ...['initialize', 'tools_call', 'elicitation-sep1034-client-defaults', 'sse-retry'].map((scenario) => ({
    revision: '2025-11-25' as const,
    scenario,
  })),
  ...[
    'tools_call',
    'request-metadata',
    'sep-2322-client-request-state',
    'http-standard-headers',
    'http-custom-headers',
    'http-invalid-tool-headers',
    'json-schema-ref-no-deref',
    'json-schema-2020-12-preservation',
  ].map((scenario) => ({ revision: '2026-07-28' as const, scenario })),
]

/** Here the client only lists, and the hub has listed for itself: its capabilities are seen, which are none. */
const ownCapabilities = new Set(['request-metadata'])

let hub: RunningHub
beforeAll(async () => {
  hub = await startHub({})
})
afterAll(() => hub.stop())

const eraOf = (revision: Revision): string => (revision === '2025-11-25' ? 'legacy' : 'modern')
const run = (revision: Revision, scenario: string, env: Record<string, string>): Promise<Report> =>
  runClientScenario(client, scenario, revision, env)

const findingsOf = ({ failed, warnings }: Report): Finding[] => [...failed, ...warnings]

// The server of each scenario judges whoever speaks to it: an SDK client, then the hub on behalf of one.
describe.concurrent.each(scenarios)('the server of $scenario ($revision)', ({ revision, scenario }) => {
  it('sees as good a client through the hub as without it', { timeout: 60_000 }, async () => {
    const direct = await run(revision, scenario, { CLIENT_ERA: eraOf(revision) })
    const through = await run(revision, scenario, {
      CLIENT_ERA: eraOf(revision),
      HUB_URL: hub.url,
      HUB_TOKEN: hub.token,
    })
    // What the SDK client itself gets wrong it also gets wrong through the hub.
    const known = findingsOf(direct).map(({ check }) => check)
    expect(findingsOf(through).filter(({ check }) => !known.includes(check))).toEqual([])
    expect(through.passed).toBeGreaterThanOrEqual(direct.passed - (ownCapabilities.has(scenario) ? 1 : 0))
  })

  it('sees a good client of the other era through the hub', { timeout: 60_000 }, async () => {
    const other = eraOf(revision) === 'legacy' ? 'modern' : 'legacy'
    expect(
      findingsOf(
        await run(revision, scenario, {
          CLIENT_ERA: other,
          HUB_URL: hub.url,
          HUB_TOKEN: hub.token,
        }),
      ),
    ).toEqual([])
  })
})
