import { hubPorts, type Artifact } from '../context.ts'

export const crontab: Artifact = {
  path: 'ops/crontab',
  why: 'The timers of systemd/ for a machine where cron starts such things: PM2, or Docker.',
  render: ({ paths, target }) => {
    // Volumes and containers are root's.
    const user = target.mode === 'docker' ? 'root' : 'mcp-hub'
    const doctor = `node --env-file=${paths.environment} ${paths.current}/hub/cli.js doctor --url http://127.0.0.1:${hubPorts(target)[0] ?? target.basePort}`
    return `# install -m 0644 ${paths.current}/ops/crontab /etc/cron.d/mcp-hub
# Not beside mcp-hub-backup.timer and its like: one of them is enough. cron makes up for no night in which the machine was off.
SHELL=/bin/bash
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Where cron sends what fails.
MAILTO=root

# A backup each night; each month one is restored on trial.
7 2 * * * ${user} bash ${paths.current}/ops/backup.sh >/dev/null
17 4 1 * * ${user} bash ${paths.current}/ops/restore-drill.sh >/dev/null
${target.mode === 'docker' ? '' : `# Each morning every server is examined.\n27 6 * * * ${user} cd ${paths.current} && ${doctor} >/dev/null\n`}`
  },
}
