import { publicOrigin, type BundleContext } from '../context.ts'
import { serviceVariables } from '../variables.ts'
import { instructions } from './instructions.ts'
import { readmeKubernetes } from './readme-kubernetes.ts'

export function readmeEn(context: BundleContext, release: string): string {
  if (context.target.mode === 'kubernetes') return readmeKubernetes(context, release, 'en')
  const { target, paths, needs } = context
  const run = instructions(context, release)
  const docker = target.mode === 'docker'
  const systemd = target.mode === 'systemd'
  const manager = docker ? 'Docker Compose' : `${systemd ? 'systemd' : 'PM2'} and nginx`
  const many = target.instances > 1
  const services = target.services
    .map((service) => `| \`${serviceVariables[service].name}\` | ${serviceVariables[service].why.en} |`)
    .join('\n')
  const needed = needs.map(({ name, usedBy }) => `| \`${name}\` | ${usedBy} |`).join('\n')

  return `# MCP Hub ${context.version} for ${target.domain}

Release \`${release}\` · ${manager} · ${target.instances} hub${many ? 's' : ''} · 中文: README.zh-CN.md

Everything is installed below \`${paths.root}\`. Run the commands as root on the target, except where it says otherwise.
Commands were written for Debian 12 and 13 and Ubuntu 22.04 and later. Two cores, 2 GB of memory and 10 GB of disk are enough for
the hub itself; the MCP servers that it starts need what they need.

## 1. ${docker ? 'Docker' : systemd ? 'Node 24 and nginx' : 'Node 24, PM2 and nginx'}

\`\`\`sh
${docker ? run.nodeDocker : run.node}
\`\`\`
${docker ? '' : '\nOn ARM take `linux-arm64`. The clock must be right (`timedatectl`): sessions are signed with a time.\n'}
## 2. Folders

\`\`\`sh
${run.folders}
\`\`\`

Only \`config\`, \`data\`, \`logs\` and \`backups\` belong to the hub. It cannot change its own program, the certificate or what nginx reads.

## 3. The release

From the folder of this README, on your own computer:

\`\`\`sh
${run.upload}
\`\`\`

Then on the target:

\`\`\`sh
${run.unpack}
\`\`\`

The last line is for the first installation only: later the configuration on the target is the one that counts.

## 4. Secrets

\`\`\`sh
${run.environment}
\`\`\`

\`env\` generates what can be generated, keeps every value that is there already, and says what is still empty.
${needs.length === 0 ? '' : `\nThe servers need these; without one, its server does not start and says so, and the others run:\n\n| name | for |\n|---|---|\n${needed}\n`}${services === '' ? '' : `\nThese services are named there as well${docker ? '' : '; a hub starts without those that are left empty'}:\n\n| name | for |\n|---|---|\n${services}\n`}${run.stores === null ? '' : `\nWho has none of them elsewhere lets compose run them beside the hubs, reachable to these only:\n\n\`\`\`sh\n${run.stores}\n\`\`\`\n`}
The first start creates the user \`admin\` with \`MCP_HUB_ADMIN_PASSWORD\`, generated or your own (8 to 72 bytes). After that the line may be emptied.

Secrets that are set in the web UI are in \`${run.secretsFile}\`, for all hubs, readable to the hub's user only (mode 0600). A line
\`MCP_HUB_SECRETS_KEY=\` with 32 characters or more in \`${paths.environment}\` has the file encrypted. What stands in \`${paths.environment}\` counts before it.

${docker ? '## 5. Certificate and start' : '## 5. Start'}

\`\`\`sh
${docker ? `${run.certificateFirst}\n${run.start}` : run.start}
\`\`\`
${
  docker
    ? ''
    : `
${
  systemd
    ? `The target brings hubs and timers back after a reboot. Each port belongs to a socket of systemd, which holds what comes while its hub restarts.
The hub's log is in the journal. Hub and servers run in a sandbox that \`systemd-analyze security mcp-hub@${target.basePort}.service\` shows:
they write below \`${paths.root}/{config,data,logs,backups}\` and into a /tmp of their own, and nowhere else. What a server needs besides
goes into a drop-in (\`systemctl edit mcp-hub@.service\`), e.g. \`ReadWritePaths=/srv/files\` or, for one with a browser, \`RestrictNamespaces=no\`.

The timers make a backup each night, examine the servers each morning and restore a backup on trial each month.`
    : '\`pm2 save\` and \`pm2 startup\` bring the hub back after a reboot; logrotate keeps its logs small.'
}

## 6. nginx

\`\`\`sh
${run.certificateFirst}
${run.nginx}
\`\`\`

On Debian and Ubuntu the default site is removed because this one answers for unknown names itself (it closes the connection). Where
nginx serves nothing else or runs without root, use \`nginx/nginx.conf\` instead: \`nginx -p FOLDER -c ${paths.current}/nginx/nginx.conf\`.
`
}
## ${docker ? 6 : 7}. A certificate that browsers trust

\`\`\`sh
${run.certificate}
\`\`\`

certbot renews by a timer and runs the hook each time. Test it with \`certbot renew --dry-run\`.

## ${docker ? 7 : 8}. Check

\`\`\`sh
${run.check}
\`\`\`

Then open ${publicOrigin(target)} and sign in. MCP clients use \`${publicOrigin(target)}/mcp\` with \`Authorization: Bearer …\`.
${
  many
    ? `
## ${target.instances} hubs

Sessions of older MCP clients live in a hub's memory: their ids name it, and nginx sends their requests there. When that hub goes away, the
client opens a new session at another. Each hub starts the MCP servers for itself${target.services.includes('redis') ? '' : ', and counts requests and failed logins for itself (the service redis would have them count together)'}.
Configuration, history and audit log are in PostgreSQL (\`DATABASE_URL\`): the hub that starts first takes over the files of the configuration,
and a change made through one hub is in force at the others within a second. Fill in \`DATABASE_URL\` before the start: without it each hub goes its own way.${docker || systemd ? '' : '\nA reload restarts the hubs one after the other; a request under way may then fail with 502 and can be sent again.'}
`
    : ''
}
## Upgrade

Publish again, upload the new release (step 3, without the last line), put its name for RELEASE:

\`\`\`sh
${run.upgrade}
\`\`\`
${docker || (many && !systemd) ? '' : systemd ? '\nThe old hub finishes what it has begun, what comes meanwhile waits in the socket: no request is lost.\n' : '\nThe new hub starts before the old one ends, and the old one finishes what it has begun: no request is lost.\n'}
## Roll back

\`\`\`sh
${run.rollback}
\`\`\`

Configuration and data stay as they are. Keep at least one older release.

## New token

\`\`\`sh
${run.token}
\`\`\`

Every MCP client needs the new one. The same way empties and renews \`JWT_SECRET\`; then everybody has to sign in again.

## Backup

\`\`\`sh
${run.backup}
\`\`\`

The archive holds secrets: keep it as you keep those. To restore, stop the hub, put the files back with their owners, start it.

## Firewall

\`\`\`sh
${run.firewall}
\`\`\`

The hub itself listens ${docker ? 'inside its network only' : 'on 127.0.0.1 only'}. Metrics at \`/api/metrics\` are refused from outside.
Without ufw: \`ops/firewall.nft\`, whose first lines say how to try it without being locked out.

## Monitoring

\`ops/prometheus.yml\` scrapes each hub and looks at the site from outside (Debian: \`apt-get install --yes prometheus prometheus-blackbox-exporter\`;
both listen on every address, so keep the firewall). \`ops/alerts.yml\` says when a person is needed, \`ops/grafana-dashboard.json\` shows it all.
${docker || systemd ? '' : 'Backups and the restore drill need a timer: \`ops/crontab\`, or those of \`systemd/\`.\n'}
## When something is wrong

\`\`\`sh
${run.logs}
\`\`\`

| what you see | cause | cure |
|---|---|---|
| the hub ends with code 78${systemd ? '; after ten tries systemd closes its socket (\`systemctl reset-failed\`, then start the target)' : ', and PM2 says \`waiting restart\` for ever'} | the configuration is broken; the log names file, line and cure | mend it; \`node ${paths.current}/hub/cli.js config check --config ${docker ? 'FOLDER' : paths.config}\` |
| \`.env: not found\`, code 9 | \`${paths.environment}\` is missing or unreadable | step 4; owner and mode as shown there |
| 502 from nginx | the hub is not running or still starting | the log; \`curl http://127.0.0.1:${target.basePort}/health/ready\` on the target |
| nginx: \`duplicate default server\` | another site already answers for unknown names | remove \`default_server\` from that site |
| nginx: \`cannot load certificate\` | no certificate yet | ${docker ? 'step 5' : 'step 6'} |
| the connection closes without an answer | the name in the request is not \`${target.domain}\` | use that name; check DNS |
| 401 from \`/mcp\` | no token, or an old one | \`MCP_HUB_TOKEN\` in \`${paths.environment}\` |
| a server stays failed | its command is not on this machine, or a value is missing | the server's page says which; PORTABILITY.md in this folder |
| the port is in use | another process has ${target.basePort} | \`ss -ltnp\`; publish with another \`--base-port\` |

## From time to time

Each week: look at failed servers and the log. Each month: system updates, restore a backup into an empty folder and look at it, disk
space. Each quarter: who may sign in, which tokens exist, a rollback as practice.
`
}
