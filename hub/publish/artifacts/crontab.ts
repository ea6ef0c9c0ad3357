import { hubPorts, type Artifact } from '../context.ts'
import { CONTAINER_PORT, hubNames, inUse } from './docker.ts'

export const crontab: Artifact = {
  path: 'ops/crontab',
  why: 'The timers of systemd/ for a machine where cron starts such things: PM2, or Docker.',
  render: (context) => {
    const { paths, target } = context
    const docker = target.mode === 'docker'
    // Containers are root's.
    const user = docker ? 'root' : 'mcp-hub'
    const doctor = docker
      ? `docker exec ${inUse(hubNames(context)[0] ?? '')} node --env-file=/run/secrets/hub_env hub/cli.js doctor --url http://127.0.0.1:${CONTAINER_PORT}`
      : `cd ${paths.current} && node --env-file=${paths.environment} ${paths.current}/hub/cli.js doctor --url http://127.0.0.1:${hubPorts(target)[0] ?? target.basePort}`
    return `# ops/deploy.sh puts this into /etc/cron.d/mcp-hub where PM2 or Docker run the hubs.
# Not beside mcp-hub-backup.timer and its like: one of them is enough. cron makes up for no night in which the machine was off.
SHELL=/bin/bash
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# Where cron sends what fails.
MAILTO=root

# A backup each night; each month one is restored on trial.
7 2 * * * ${user} bash ${paths.current}/ops/backup.sh >/dev/null
17 4 1 * * ${user} bash ${paths.current}/ops/restore-drill.sh >/dev/null
# Each morning every server is examined.
27 6 * * * ${user} ${doctor} >/dev/null
`
  },
}
