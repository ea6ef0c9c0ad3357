import { expect, it } from 'vitest'
import { createMetrics } from '../../hub/observe/metrics.ts'

const requests = [{ server: 'a', method: 'tools/call', name: 't', outcome: 'ok', durationMs: 1 }] as const
function metrics(settings: { enabled: boolean; intervalMs: number | null }) {
  let sessions = 0
  return {
    settings,
    metrics: createMetrics({
      settings: () => settings,
      version: '1',
      servers: () => [],
      sessions: () => ++sessions,
      listens: () => 0,
      eventReaders: () => 0,
      dropped: () => 0,
      lockouts: () => 0,
      refusedPasswords: () => 0,
      newestBackup: () => Promise.resolve(null),
    }),
  }
}
const valueOf = (text: string | undefined, name: string): string | undefined =>
  new RegExp(`^${name}(?:\\{.*\\})? (\\S+)$`, 'm').exec(text ?? '')?.[1]

it('monitoring.enabled false counts and answers nothing, until it is on again', async () => {
  const { settings, metrics: figures } = metrics({ enabled: false, intervalMs: null })
  figures.count(requests)
  expect(await figures.scrape()).toBeNull()
  settings.enabled = true
  expect(valueOf((await figures.scrape())?.text, 'mcp_hub_requests_total')).toBeUndefined()
  figures.count(requests)
  expect(valueOf((await figures.scrape())?.text, 'mcp_hub_requests_total')).toBe('1')
})

it('monitoring.metricsInterval answers gauges as they were read last, and calls to the moment', async () => {
  const { settings, metrics: figures } = metrics({ enabled: true, intervalMs: 60_000 })
  const texts: (string | undefined)[] = []
  for (let scrape = 0; scrape < 2; scrape++) {
    figures.count(requests)
    texts.push((await figures.scrape())?.text)
  }
  expect(texts.map((text) => valueOf(text, 'mcp_hub_sessions'))).toEqual(['1', '1'])
  expect(texts.map((text) => valueOf(text, 'mcp_hub_requests_total'))).toEqual(['1', '2'])
  settings.intervalMs = null
  expect(valueOf((await figures.scrape())?.text, 'mcp_hub_sessions')).toBe('2')
})
