import type { Artifact, BundleContext } from '../context.ts'
import { names } from '../kubernetes/names.ts'
import { HUB_JOB, OUTSIDE_JOB } from './prometheus.ts'

/** What the alert about backups looks at. In a cluster no hub sees the archives, but kube-state-metrics knows when the job was done. */
export const NEWEST_BACKUP = 'mcp_hub_backup_timestamp_seconds'
export const newestBackup = ({ target }: BundleContext): string =>
  target.mode === 'kubernetes' ? `kube_cronjob_status_last_successful_time{cronjob="${names.backup}"}` : NEWEST_BACKUP

/** One call in a hundred may fail through no fault of its tool. */
const BUDGET = 0.01

/** Spans over which the share of failed calls is looked at. */
const SPANS = ['5m', '30m', '1h', '6h'] as const

export interface Alert {
  name: string
  expr: string
  for?: string
  severity: 'critical' | 'warning'
  summary: string
  cure: string
}

/** What needs a person, with what to do. Only about metrics that a hub really has (docs/observability.md), and the probe from outside. */
export const alerts: readonly Alert[] = [
  {
    name: 'McpHubDown',
    expr: `up{job="${HUB_JOB}"} == 0`,
    for: '1m',
    severity: 'critical',
    summary: 'The hub {{ $labels.instance }} does not answer',
    cure: 'Look at its log; code 78 is a broken configuration: mcp-hub config check. A 401 or 403 here means the key of Prometheus.',
  },
  {
    name: 'McpHubUnreachable',
    expr: `probe_success{job="${OUTSIDE_JOB}"} == 0`,
    for: '2m',
    severity: 'critical',
    summary: '{{ $labels.instance }} cannot be reached from outside',
    cure: 'Look at DNS, the firewall, nginx (nginx -t) and the certificate; the hubs themselves may be well.',
  },
  {
    name: 'McpHubErrorsFast',
    expr: `mcp_hub:errors:ratio1h > ${round(14.4 * BUDGET)} and mcp_hub:errors:ratio5m > ${round(14.4 * BUDGET)}`,
    for: '2m',
    severity: 'critical',
    summary: '{{ $value | humanizePercentage }} of all calls fail',
    cure: 'The page History shows which server and tool. Restart or disable that server.',
  },
  {
    name: 'McpHubErrorsSlow',
    expr: `mcp_hub:errors:ratio6h > ${round(6 * BUDGET)} and mcp_hub:errors:ratio30m > ${round(6 * BUDGET)}`,
    for: '15m',
    severity: 'warning',
    summary: '{{ $value | humanizePercentage }} of all calls have failed for hours',
    cure: 'The page History shows which server and tool.',
  },
  {
    name: 'McpHubEventLoopLag',
    expr: `nodejs_eventloop_lag_p99_seconds{job="${HUB_JOB}"} > 0.25`,
    for: '5m',
    severity: 'warning',
    summary: 'The hub {{ $labels.instance }} answers late: its event loop lags by {{ $value | humanizeDuration }}',
    cure: 'Too much load for one hub, or too little processor: publish with more instances.',
  },
  {
    name: 'McpServerCrashLoop',
    expr: `increase(mcp_hub_server_restarts_total[15m]) > 5`,
    severity: 'warning',
    summary: 'The server {{ $labels.server }} was lost {{ $value | humanize }} times in a quarter of an hour',
    cure: 'Its log on the page of the server, or mcp-hub doctor {{ $labels.server }}.',
  },
  {
    name: 'McpServerDown',
    expr: `max by (server) (mcp_hub_server_state{state=~"failed|needs-auth"}) == 1`,
    for: '5m',
    severity: 'warning',
    summary: 'The server {{ $labels.server }} does not run',
    cure: 'The page of the server says why, and what to do.',
  },
  {
    name: 'McpHubLockouts',
    expr: `sum(increase(mcp_hub_lockouts_total[10m])) > 5`,
    severity: 'warning',
    summary: 'Sign-ins of {{ $value | humanize }} names were locked within ten minutes: somebody guesses passwords',
    cure: 'The audit log has the addresses. Refuse them in the firewall.',
  },
  {
    name: 'McpHubCertificateEnds',
    expr: `probe_ssl_earliest_cert_expiry{job="${OUTSIDE_JOB}"} - time() < 14 * 86400`,
    for: '1h',
    severity: 'warning',
    summary: 'The certificate of {{ $labels.instance }} ends in {{ $value | humanizeDuration }}',
    cure: 'It should have been renewed: certbot renew --dry-run says why not. The hook must copy it and reload nginx.',
  },
  {
    name: 'McpHubBackupOld',
    expr: `time() - max(${NEWEST_BACKUP}) > 26 * 3600`,
    for: '10m',
    severity: 'warning',
    summary: 'No backup was made for more than 26 hours',
    cure: 'ops/backup.sh says what fails; with systemd: journalctl -u mcp-hub-backup.service; in a cluster the log of the newest job does.',
  },
  {
    name: 'McpHubHistoryLost',
    expr: `increase(mcp_hub_history_dropped_total[15m]) > 0`,
    severity: 'warning',
    summary: 'Calls could not be kept in the history',
    cure: 'The disk or the database does not keep up, or is full.',
  },
]

export const alertRules: Artifact = {
  path: 'ops/alerts.yml',
  why: 'When a person is needed, and what to do then. A hundredth of all calls may fail; errors count by how fast they use that up.',
  render: (context) => `# promtool check rules alerts.yml; promtool test rules alerts.test.yml
groups:
  - name: mcp-hub-errors
    rules:
${SPANS.map(
  (span) => `      # The tool itself failing (outcome tool-error) is no fault of the hub or its servers.
      - record: mcp_hub:errors:ratio${span}
        expr: >-
          sum(rate(mcp_hub_requests_total{outcome=~"error|timeout"}[${span}]))
          / sum(rate(mcp_hub_requests_total[${span}]))
`,
).join('')}  - name: mcp-hub
    rules:
${alerts.map(ruleOf).join('').replaceAll(NEWEST_BACKUP, newestBackup(context))}`,
}

function ruleOf(alert: Alert): string {
  return `      - alert: ${alert.name}
        expr: ${quote(alert.expr)}
${alert.for === undefined ? '' : `        for: ${alert.for}\n`}        labels: { severity: ${alert.severity} }
        annotations:
          summary: ${quote(alert.summary)}
          cure: ${quote(alert.cure)}
`
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function round(value: number): string {
  return String(Number(value.toFixed(4)))
}
