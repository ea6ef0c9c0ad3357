import type { Artifact } from '../context.ts'
import { NEWEST_BACKUP, newestBackup } from './alerts.ts'
import { HUB_JOB, OUTSIDE_JOB } from './prometheus.ts'

/** One situation: what is scraped each minute, and which alerts there are then. */
interface Case {
  what: string
  /** Name of a series, and its values as promtool writes them. */
  series: Record<string, string>
  at: string
  /** All alerts that fire then. */
  firing: readonly string[]
}

const HUB = { instance: '127.0.0.1:3000', job: HUB_JOB }
const SITE = { instance: 'https://hub.example.com/health', job: OUTSIDE_JOB }
const calls = (outcome: string): string => `mcp_hub_requests_total{outcome="${outcome}"}`
const labelled = (name: string, labels: Record<string, string>): string =>
  `${name}{${Object.entries(labels)
    .map(([key, value]) => `${key}="${value}"`)
    .join(',')}}`

const cases: readonly Case[] = [
  {
    what: 'All is well: one call in a thousand fails, a backup was made an hour ago',
    series: {
      [labelled('up', HUB)]: '1x430',
      [labelled('probe_success', SITE)]: '1x430',
      [labelled('probe_ssl_earliest_cert_expiry', SITE)]: `${86_400 * 60}x430`,
      [calls('ok')]: '0+999x430',
      [calls('error')]: '0+1x430',
      [labelled('nodejs_eventloop_lag_p99_seconds', HUB)]: '0.02x430',
      'mcp_hub_server_restarts_total{server="files"}': '3x430',
      'mcp_hub_server_state{server="files",state="running"}': '1x430',
      'mcp_hub_server_state{server="files",state="failed"}': '0x430',
      mcp_hub_lockouts_total: '0+1x2 2x430',
      mcp_hub_history_dropped_total: '7x430',
      [NEWEST_BACKUP]: '0+60x430',
    },
    at: '7h',
    firing: [],
  },
  {
    what: 'A hub does not answer, and nobody gets through from outside',
    series: { [labelled('up', HUB)]: '1x5 0x10', [labelled('probe_success', SITE)]: '1x5 0x10' },
    at: '10m',
    firing: ['McpHubDown', 'McpHubUnreachable'],
  },
  {
    what: 'A hub that misses one scrape is not down',
    series: { [labelled('up', HUB)]: '1x5 0 1x10', [labelled('probe_success', SITE)]: '1x5 0 1x10' },
    at: '6m',
    firing: [],
  },
  {
    what: 'A third of all calls fails',
    series: { [calls('ok')]: '0+20x70', [calls('timeout')]: '0+10x70' },
    at: '70m',
    firing: ['McpHubErrorsFast', 'McpHubErrorsSlow'],
  },
  {
    what: 'One in twelve fails for hours',
    series: { [calls('ok')]: '0+110x420', [calls('error')]: '0+10x420' },
    at: '7h',
    firing: ['McpHubErrorsSlow'],
  },
  {
    what: 'Tools that say themselves that they failed are no errors of the hub',
    series: { [calls('ok')]: '0+10x420', [calls('tool-error')]: '0+90x420' },
    at: '7h',
    firing: [],
  },
  {
    what: 'The event loop is late',
    series: { [labelled('nodejs_eventloop_lag_p99_seconds', HUB)]: '0.4x10' },
    at: '8m',
    firing: ['McpHubEventLoopLag'],
  },
  {
    what: 'A server is lost again and again, until it is given up',
    series: {
      'mcp_hub_server_restarts_total{server="files"}': '0+1x20',
      'mcp_hub_server_state{server="files",state="failed"}': '0x5 1x20',
    },
    at: '20m',
    firing: ['McpServerCrashLoop', 'McpServerDown'],
  },
  {
    what: 'Somebody guesses passwords',
    series: { mcp_hub_lockouts_total: '0+2x20' },
    at: '15m',
    firing: ['McpHubLockouts'],
  },
  {
    what: 'The certificate was not renewed',
    series: { [labelled('probe_ssl_earliest_cert_expiry', SITE)]: `${86_400 * 14}x200` },
    at: '2h',
    firing: ['McpHubCertificateEnds'],
  },
  {
    what: 'The last backup is of the day before yesterday',
    series: { [NEWEST_BACKUP]: '-90000x120' },
    at: '2h',
    firing: ['McpHubBackupOld'],
  },
  {
    what: 'Calls were not kept',
    series: { mcp_hub_history_dropped_total: '0x5 4x20' },
    at: '10m',
    firing: ['McpHubHistoryLost'],
  },
]

export const alertTests: Artifact = {
  path: 'ops/alerts.test.yml',
  why: 'Situations, and which alerts there must be in each, and which not; promtool tries them.',
  render: (context) => `# promtool test rules alerts.test.yml
rule_files: [alerts.yml]
evaluation_interval: 1m
tests:
${cases.map(testOf).join('').replaceAll(NEWEST_BACKUP, newestBackup(context))}`,
}

function testOf({ what, series, at, firing }: Case): string {
  const input = Object.entries(series).map(([name, values]) => `      - { series: '${name}', values: '${values}' }\n`)
  const expected = firing.map((name) => `          - { labels: '{alertname="${name}"}', value: 1 }\n`)
  return `  - name: '${what}'
    interval: 1m
    input_series:
${input.join('')}    promql_expr_test:
      - expr: count by (alertname) (ALERTS{alertstate="firing"})
        eval_time: ${at}
        exp_samples:${expected.length === 0 ? ' []' : `\n${expected.join('').trimEnd()}`}
`
}
