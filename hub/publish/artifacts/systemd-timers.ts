import { hubPorts, type Artifact, type BundleContext } from '../context.ts'
import { sandbox } from './systemd.ts'

/** Work that a timer starts: as the hub's user, shut in as the hub is, and behind whoever waits for an answer. */
interface Job {
  name: string
  description: string
  why: string
  timerWhy: string
  /** One line each. */
  comment: string
  calendar: string
  /** Minutes over which machines are spread. */
  spreadMinutes: number
  command: (context: BundleContext) => string
}

const jobs: readonly Job[] = [
  {
    name: 'backup',
    description: 'Backup of MCP Hub',
    why: 'Writes an archive into backups/, checks every byte of it, and only then deletes older ones.',
    timerWhy: 'Each night; a night in which the machine was off is made up for.',
    comment: 'A failure stays visible: systemctl --failed, and the alert McpHubBackupOld.',
    calendar: '*-*-* 02:00:00',
    spreadMinutes: 15,
    command: ({ paths }) => `bash ${paths.current}/ops/backup.sh`,
  },
  {
    name: 'restore-drill',
    description: 'Restore drill of MCP Hub',
    why: 'Restores the newest archive into a folder of its own and looks at it: a backup that nobody restored is none.',
    timerWhy: 'Each month.',
    comment: 'Nothing of the hub is touched.',
    calendar: '*-*-01 04:00:00',
    spreadMinutes: 60,
    command: ({ paths }) => `bash ${paths.current}/ops/restore-drill.sh`,
  },
  {
    name: 'doctor',
    description: 'Examination of the servers of MCP Hub',
    why: 'Examines every server and says which step fails, with the cure.',
    timerWhy: 'Each morning.',
    comment: 'What it found: journalctl -u mcp-hub-doctor.service',
    calendar: '*-*-* 06:00:00',
    spreadMinutes: 15,
    command: ({ paths, target }) =>
      `node --env-file=${paths.environment} ${paths.current}/hub/cli.js doctor --url http://127.0.0.1:${hubPorts(target)[0] ?? target.basePort}`,
  },
]

/** A service and its timer for each. */
export const systemdTimers: readonly Artifact[] = jobs.flatMap((job) => [
  { path: `systemd/mcp-hub-${job.name}.service`, why: job.why, render: (context) => serviceOf(job, context) },
  { path: `systemd/mcp-hub-${job.name}.timer`, why: job.timerWhy, render: () => timerOf(job) },
])

function serviceOf({ description, comment, command }: Job, context: BundleContext): string {
  const { paths } = context
  return `# ${comment}

[Unit]
Description=${description}
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
User=mcp-hub
Group=mcp-hub
UMask=0077
WorkingDirectory=${paths.current}
ExecStart=${command(context)}
Environment=HOME=${paths.data}
TimeoutStartSec=30min
Nice=10
IOSchedulingClass=idle

${sandbox(paths)}`
}

function timerOf({ name, description, calendar, spreadMinutes }: Job): string {
  return `[Unit]
Description=When: ${description}
PartOf=mcp-hub.target

[Timer]
OnCalendar=${calendar}
RandomizedDelaySec=${spreadMinutes}min
Persistent=yes
Unit=mcp-hub-${name}.service

[Install]
WantedBy=mcp-hub.target
`
}
