import { expect, it } from 'vitest'
import { parse } from 'yaml'
import type { ServerStatus } from '../../hub/contract/index.ts'
import { targetSchema, type TargetInput } from '../../hub/contract/publish.ts'
import { createMetrics } from '../../hub/observe/metrics.ts'
import { alertRules, alerts } from '../../hub/publish/artifacts/alerts.ts'
import { alertTests } from '../../hub/publish/artifacts/alerts-test.ts'
import { crontab } from '../../hub/publish/artifacts/crontab.ts'
import { grafanaDashboard } from '../../hub/publish/artifacts/grafana.ts'
import { prometheusConfig } from '../../hub/publish/artifacts/prometheus.ts'
import { targetPaths, type BundleContext } from '../../hub/publish/context.ts'

function context(options: Partial<TargetInput> = {}): BundleContext {
  const target = targetSchema.parse({ domain: 'hub.example.com', ...options })
  return {
    target,
    version: '1.0.0',
    release: '1.0.0-01234567',
    servers: {},
    system: {},
    profiles: {},
    needs: [],
    findings: [],
    paths: targetPaths(target),
  }
}

/** The names that a scrape of a hub has. */
async function exposition(): Promise<Set<string>> {
  const metrics = createMetrics({
    settings: () => ({ enabled: true, intervalMs: null }),
    version: '1.2.3',
    servers: () => [{ name: 'a', state: 'running', restarts: 1 } as ServerStatus],
    sessions: () => 1,
    listens: () => 1,
    eventReaders: () => 1,
    dropped: () => 1,
    lockouts: () => 1,
    refusedPasswords: () => 1,
    newestBackup: () => Promise.resolve(1),
  })
  metrics.count([{ server: 'a', method: 'tools/call', name: 'echo', outcome: 'ok', durationMs: 5 }])
  const { text = '' } = (await metrics.scrape()) ?? {}
  return new Set(Array.from(text.matchAll(/^(\w+)(?:\{.*\})? /gm), ([, name = '']) => name))
}

/** What stands in an expression where a metric may: no function, no label, nothing quoted, no word of the language. */
function metricsIn(expression: string): string[] {
  const bare = expression
    .replace(/"[^"]*"/g, '""')
    .replace(/\{[^}]*\}/g, '{}')
    .replace(/\[[^\]]*\]/g, '')
    .replace(/\b(?:by|without|on)\s*\([^)]*\)/g, '')
  return Array.from(bare.matchAll(/[a-z_][\w:]*(?!\w*\()/gi), ([name]) => name).filter(
    (name) => !['and', 'or', 'unless', 'bool'].includes(name) && !new RegExp(`\\b${name}\\s*\\(`).test(bare),
  )
}

interface Rules {
  groups: { rules: { alert?: string; record?: string; expr: string }[] }[]
}
const rules = (): { alert?: string; record?: string; expr: string }[] =>
  (parse(alertRules.render(context())) as Rules).groups.flatMap((group) => group.rules)

it('rules and dashboard ask for nothing that a hub does not tell', async () => {
  const known = new Set([
    ...(await exposition()),
    ...rules().flatMap(({ record }) => record ?? []),
    // Of Prometheus itself, and of the blackbox exporter.
    ...['up', 'probe_success', 'probe_ssl_earliest_cert_expiry'],
  ])
  const { panels } = JSON.parse(grafanaDashboard.render(context())) as { panels: { targets: { expr: string }[] }[] }
  const expressions = [...rules(), ...panels.flatMap(({ targets }) => targets)].map(({ expr }) => expr)
  expect(expressions.length).toBeGreaterThan(30)
  const asked = new Set(expressions.flatMap(metricsIn))
  expect([...asked].filter((name) => !known.has(name))).toEqual([])
  expect(asked).toContain('mcp_hub_request_duration_seconds_bucket')
  expect(metricsIn('sum by (server) (rate(mcp_hub_gone_total{server="up"}[5m])) > 3 and up == 0')).toEqual([
    'mcp_hub_gone_total',
    'up',
  ])
})

it('each alert is tried, and each says what to do', () => {
  const tried = alertTests.render(context())
  for (const { name, summary, cure } of alerts) {
    expect(tried).toContain(`alertname="${name}"`)
    expect(summary.length * cure.length).toBeGreaterThan(0)
  }
  expect(rules().flatMap(({ alert }) => alert ?? [])).toEqual(alerts.map(({ name }) => name))
})

it('every hub is scraped by itself, where it can be reached', () => {
  const targets = (options: Partial<TargetInput>): unknown =>
    (
      parse(prometheusConfig.render(context(options))) as {
        scrape_configs: { static_configs: { targets: string[] }[] }[]
      }
    ).scrape_configs[0]?.static_configs[0]?.targets
  expect(targets({ instances: 2, services: ['database'] })).toEqual(['127.0.0.1:3000', '127.0.0.1:3001'])
  expect(targets({ instances: 2, services: ['database'], mode: 'docker' })).toEqual(['hub-1:3000', 'hub-2:3000'])
})

it('panels of the dashboard lie side by side', () => {
  const { panels } = JSON.parse(grafanaDashboard.render(context())) as {
    panels: { id: number; gridPos: { x: number; y: number; w: number; h: number } }[]
  }
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, at) => `${x + (at % w)},${y + Math.floor(at / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  expect(panels.every(({ gridPos: { x, w } }) => x + w <= 24)).toBe(true)
})

it.each(['pm2', 'docker'] as const)(
  'cron does what the timers do, each line with a time, a user and a command: %s',
  (mode) => {
    const made = context()
    const lines = crontab
      .render({ ...made, target: { ...made.target, mode } })
      .split('\n')
      .filter((line) => /^\d/.test(line))
    expect(lines).toHaveLength(3)
    const place =
      mode === 'pm2'
        ? /^\S+ \S+ (?:\*|1) \* \* mcp-hub .*\/opt\/mcp-hub\/current\//
        : /^\S+ \S+ (?:\*|1) \* \* root (?:bash \/opt\/mcp-hub\/current|docker exec mcp-hub-hub-in-use)/
    for (const line of lines) expect(line).toMatch(place)
  },
)
