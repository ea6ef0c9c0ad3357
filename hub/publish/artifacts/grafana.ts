import type { Artifact, BundleContext } from '../context.ts'
import { NEWEST_BACKUP, newestBackup } from './alerts.ts'
import { HUB_JOB, OUTSIDE_JOB } from './prometheus.ts'

interface Panel {
  title: string
  type: 'stat' | 'timeseries'
  unit: string
  /** Legend and expression of each line. */
  lines: readonly (readonly [string, string])[]
  description?: string
  /** Of the 24 columns. */
  width: number
}

const hub = `job="${HUB_JOB}",instance=~"$instance"`
const ofHubs = `${NEWEST_BACKUP}{${hub}}`
const panels: readonly Panel[] = [
  { title: 'Hubs', type: 'stat', unit: 'none', width: 4, lines: [['running', `sum(up{${hub}})`]] },
  {
    title: 'Servers that do not run',
    type: 'stat',
    unit: 'none',
    width: 4,
    lines: [['', `sum(max by (server) (mcp_hub_server_state{${hub},state=~"failed|needs-auth"}))`]],
  },
  {
    title: 'Calls per second',
    type: 'stat',
    unit: 'reqps',
    width: 4,
    lines: [['', `sum(rate(mcp_hub_requests_total{${hub}}[5m]))`]],
  },
  {
    title: 'Calls that fail',
    type: 'stat',
    unit: 'percentunit',
    width: 4,
    description: 'Errors and time limits; a tool that says itself that it failed is not counted.',
    lines: [['', 'mcp_hub:errors:ratio1h']],
  },
  {
    title: 'Since the last backup',
    type: 'stat',
    unit: 's',
    width: 4,
    lines: [['', `time() - max(${ofHubs})`]],
  },
  {
    title: 'Until the certificate ends',
    type: 'stat',
    unit: 's',
    width: 4,
    lines: [['', `min(probe_ssl_earliest_cert_expiry{job="${OUTSIDE_JOB}"}) - time()`]],
  },
  {
    title: 'Calls by outcome',
    type: 'timeseries',
    unit: 'reqps',
    width: 12,
    lines: [['{{outcome}}', `sum by (outcome) (rate(mcp_hub_requests_total{${hub}}[$__rate_interval]))`]],
  },
  {
    title: 'How long calls take',
    type: 'timeseries',
    unit: 's',
    width: 12,
    lines: [0.5, 0.95, 0.99].map((share) => [
      `p${share * 100}`,
      `histogram_quantile(${share}, sum by (le) (rate(mcp_hub_request_duration_seconds_bucket{${hub}}[$__rate_interval])))`,
    ]),
  },
  {
    title: 'Calls by server',
    type: 'timeseries',
    unit: 'reqps',
    width: 12,
    lines: [['{{server}}', `sum by (server) (rate(mcp_hub_requests_total{${hub}}[$__rate_interval]))`]],
  },
  {
    title: 'The slowest tools (p95)',
    type: 'timeseries',
    unit: 's',
    width: 12,
    lines: [
      [
        '{{server}} {{tool}}',
        `topk(10, histogram_quantile(0.95, sum by (server, tool, le) (rate(mcp_hub_request_duration_seconds_bucket{${hub},tool!=""}[$__rate_interval]))))`,
      ],
    ],
  },
  {
    title: 'Restarts of servers',
    type: 'timeseries',
    unit: 'none',
    width: 12,
    lines: [['{{server}}', `sum by (server) (increase(mcp_hub_server_restarts_total{${hub}}[15m]))`]],
  },
  {
    title: 'Connected',
    type: 'timeseries',
    unit: 'none',
    width: 12,
    lines: [
      ['sessions', `sum(mcp_hub_sessions{${hub}})`],
      ['streams', `sum(mcp_hub_streams{${hub}})`],
      ['readers of events', `sum(mcp_hub_event_readers{${hub}})`],
    ],
  },
  {
    title: 'Event loop, p99',
    type: 'timeseries',
    unit: 's',
    width: 8,
    lines: [['{{instance}}', `nodejs_eventloop_lag_p99_seconds{${hub}}`]],
  },
  {
    title: 'Memory of the hubs',
    type: 'timeseries',
    unit: 'bytes',
    width: 8,
    description: 'Without the servers that they run.',
    lines: [['{{instance}}', `process_resident_memory_bytes{${hub}}`]],
  },
  {
    title: 'Locked sign-ins, calls that were not kept',
    type: 'timeseries',
    unit: 'none',
    width: 8,
    lines: [
      ['locked', `sum(increase(mcp_hub_lockouts_total{${hub}}[10m]))`],
      ['not kept', `sum(increase(mcp_hub_history_dropped_total{${hub}}[10m]))`],
    ],
  },
]

export const grafanaDashboard: Artifact = {
  path: 'ops/grafana-dashboard.json',
  why: 'The hubs at a glance: import it into Grafana 10 or later and choose the Prometheus.',
  render: (context) =>
    `${JSON.stringify(
      {
        uid: 'mcp-hub',
        title: `MCP Hub at ${context.target.domain}`,
        tags: ['mcp-hub'],
        timezone: 'browser',
        schemaVersion: 39,
        refresh: '30s',
        time: { from: 'now-6h', to: 'now' },
        templating: {
          list: [
            { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Prometheus' },
            {
              name: 'instance',
              type: 'query',
              label: 'Hub',
              datasource: DATASOURCE,
              query: { query: `label_values(up{job="${HUB_JOB}"}, instance)`, refId: 'instance' },
              refresh: 2,
              multi: true,
              includeAll: true,
              allValue: '.*',
              current: { text: 'All', value: '$__all' },
            },
          ],
        },
        panels: placed(panelsFor(context)),
      },
      null,
      2,
    )}\n`,
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' }

function panelsFor(context: BundleContext): readonly Panel[] {
  const newest = newestBackup(context)
  if (newest === NEWEST_BACKUP) return panels
  return panels.map((panel) => ({
    ...panel,
    lines: panel.lines.map(([legend, expression]) => [legend, expression.replace(ofHubs, newest)] as const),
  }))
}

/** In rows of 24 columns, in their order. */
function placed(all: readonly Panel[]): object[] {
  let x = 0
  let y = 0
  return all.map(({ title, type, unit, width, description, lines }, at) => {
    const h = type === 'stat' ? 4 : 8
    if (x + width > 24) [x, y] = [0, y + (all[at - 1]?.type === 'stat' ? 4 : 8)]
    const gridPos = { x, y, w: width, h }
    x += width
    return {
      id: at + 1,
      title,
      type,
      ...(description === undefined ? {} : { description }),
      datasource: DATASOURCE,
      gridPos,
      fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
      options: type === 'stat' ? { reduceOptions: { calcs: ['lastNotNull'] } } : { tooltip: { mode: 'multi' } },
      targets: lines.map(([legendFormat, expr], line) => ({
        refId: String.fromCharCode(65 + line),
        datasource: DATASOURCE,
        expr,
        legendFormat,
      })),
    }
  })
}
