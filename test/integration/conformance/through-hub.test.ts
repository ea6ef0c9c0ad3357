import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runServerSuite } from './run-conformance.ts'
import type { Finding, Report } from './run-conformance.ts'
import { ModernWire } from '../../fixtures/wire.ts'
import { startHub, untilRunning } from './start-hub.ts'
import type { RunningHub } from './start-hub.ts'
import { startUpstreams, upstreamForms } from './upstream-forms.ts'
import type { Upstreams } from './upstream-forms.ts'

/**
 * What no hub can make of a legacy server. It has no tasks to offer; it names no keys for what it asks, so the hub does
 * (the suite expects its own); and its words "the client does not support …" are a tool's result, not an error code.
 */
const beyondLegacyServers = new Set([
  'sep-2322-elicitation-incomplete',
  'sep-2322-ignore-unexpected-params',
  'sep-2575-server-rejects-undeclared-capability',
  'sep-2575-missing-capability-http-400',
  'tasks-extension-advertised',
  'tasks-per-request-meta-opt-in',
  'tasks-server-directed-creation-no-hint',
  'tasks-cancel-terminal-idempotent-ack',
  'tasks-mrtr-tasks-update-resumes',
  'tasks-mrtr-partial-fulfillment',
  'tasks-request-state-removal-setup',
  'tasks-wire-field-renames',
  'tasks-no-early-ttl-expiry',
  'tasks-no-related-task-meta-on-inlined-result',
  'sep-2663-tasks-methods-non-declaring',
  'sep-2663-durable-create-strong-consistency',
  'sep-2663-tasks-get-invalid-task-id-32602',
  'sep-2663-result-type-task-on-create',
  'sep-2663-tasks-get-status-working',
  'sep-2663-tasks-get-status-completed',
  'sep-2663-tasks-get-status-failed',
  'sep-2663-tasks-get-status-input-required',
  'sep-2663-tool-error-uses-completed-status',
  'sep-2663-cancel-ack-empty-result',
  'sep-2663-mrtr-synchronous-before-task-creation',
  'sep-2663-routing-headers-accepted-on-tasks-get',
  'sep-2663-server-rejects-mismatched-mcp-name-on-tasks-get',
  'sep-2663-server-returns-missing-capability-when-required',
])

let upstreams: Upstreams
let hub: RunningHub
beforeAll(async () => {
  upstreams = await startUpstreams()
  hub = await startHub({ servers: upstreams.servers, system: { auth: { mcp: 'none' } } })
  await untilRunning(hub, [...upstreamForms])
  // The suite gives one call 600 ms, in which a busy machine does not start the process that such a client needs.
  const asking = new ModernWire(`${hub.url}/mcp/legacy-stdio`, { headers: {}, capabilities: { elicitation: {} } })
  await asking.request('tools/call', { name: 'test_simple_text', arguments: {} })
})
afterAll(async () => {
  await hub.stop()
  await upstreams.stop()
})

const unexpected = ({ failed, warnings }: Report): Finding[] =>
  [...failed, ...warnings].filter(({ check }) => !beyondLegacyServers.has(check))

describe.concurrent.each(upstreamForms)('the hub before a %s server', (form) => {
  it('passes the 83 checks of 2025-11-25 that a hub can meet', { timeout: 90_000 }, async () => {
    // The 84th check exists only where the server under test itself drops the stream of a call.
    expect(await runServerSuite(`${hub.url}/mcp/${form}`, '2025-11-25')).toEqual({
      passed: 83,
      failed: [],
      warnings: [],
    })
  })

  if (form.startsWith('modern')) {
    it('passes all 196 checks of 2026-07-28', { timeout: 90_000 }, async () => {
      const report = await runServerSuite(`${hub.url}/mcp/${form}`, '2026-07-28')
      expect(report).toEqual({ passed: 196, failed: [], warnings: [] })
    })
  } else {
    it('fails of 2026-07-28 only what a legacy server has no answer to', { timeout: 90_000 }, async () => {
      const report = await runServerSuite(`${hub.url}/mcp/${form}`, '2026-07-28')
      expect(unexpected(report)).toEqual([])
      expect(report.passed).toBeGreaterThanOrEqual(164)
    })
  }
})
