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

  const keys = target.backupRecipients.map((key) => `\n- \`${key}\``).join('')
  const encrypted =
    keys === ''
      ? ' They are not encrypted: publish with `--backup-recipients` to have that.'
      : `

Archives (\`.tar.age\`) are encrypted with age, and are opened by whoever has the private key of one of these:
${keys}

Keep the private keys elsewhere than here: without one, nobody reads the archives again. The drill here sees only that the newest is as it was
made; where a private key is, \`restore-drill.sh ARCHIVE --identity KEY_FILE\` restores it on trial. Take KEY_FILE away again after a restore.`

  return `# MCP Hub ${context.version} for ${target.domain}

Release \`${release}\` · ${manager} · ${target.instances} hub${many ? 's' : ''} · 中文: README.zh-CN.md

Everything is installed below \`${paths.root}\`. Run the commands as root on the target, except where it says otherwise.
They were written for Debian 12 and 13 and Ubuntu 22.04 and later. Two cores, 2 GB of memory and 10 GB of disk are enough for one
hub; each further one may take 512 MB more, and the MCP servers need what they need, once for each hub.

## 1. Before the first deploy

\`\`\`sh
${run.before}
\`\`\`
${docker ? '' : '\nOn ARM take `linux-arm64`. The clock must be right (`timedatectl`): sessions are signed with a time.\n'}
## 2. Deploy

From the folder of this README, on your own computer:

\`\`\`sh
${run.upload}
\`\`\`

Then on the target, the first time and every later time:

\`\`\`sh
${run.deploy}
\`\`\`

It checks the bundle, this machine and the configuration before it changes anything, makes a backup, generates the secrets that are
missing, starts the hubs, and tries what people and clients do. What fails after the switch is undone: the release before runs
again. \`--dry-run\` says what would be done.

Where somebody changed the configuration on the target since the last publish it stops (code 73): look at the difference, then give
\`--config keep\` or \`--config replace\`.${target.services.includes('database') ? ' With `DATABASE_URL` the configuration in the database stays as it is, and is changed in the web UI or over the API.' : ''}

Only \`config\`, \`data\`, \`logs\` and \`backups\` belong to the hub. It cannot change its own program, the certificate or what nginx
reads. On Debian and Ubuntu nginx's default site is taken away, because this one answers for unknown names itself (it closes the
connection). Where nginx serves nothing else or runs without root: \`nginx -p FOLDER -c ${paths.current}/nginx/nginx.conf\`.

${
  docker
    ? 'Each hub runs in a container without rights, with these four folders and nothing else to write; docker starts it again after a reboot.'
    : systemd
      ? `The target \`mcp-hub.target\` brings hubs and timers back after a reboot. Each port belongs to a socket of systemd, which holds what comes
while its hub restarts. Hub and servers run in a sandbox that \`systemd-analyze security mcp-hub@${target.basePort}.service\` shows: they write
below \`${paths.root}/{config,data,logs,backups}\` and into a /tmp of their own, and nowhere else. What a server needs besides goes into a
drop-in (\`systemctl edit mcp-hub@.service\`), e.g. \`ReadWritePaths=/srv/files\` or, for one with a browser, \`RestrictNamespaces=no\`.`
      : 'PM2 runs as the user `mcp-hub` and comes back after a reboot; logrotate keeps the logs small.'
}

## 3. Secrets

\`JWT_SECRET\`, \`MCP_HUB_TOKEN\` and \`MCP_HUB_ADMIN_PASSWORD\` were generated; every value that is there is kept at later deploys. The others
are yours to fill in:

\`\`\`sh
${run.edit}
\`\`\`
${needs.length === 0 ? '' : `\nThe servers need these; without one, its server does not start and says so, and the others run:\n\n| name | for |\n|---|---|\n${needed}\n`}${services === '' ? '' : `\nThese services are named there as well${docker ? '' : many ? '; a hub starts without those that are left empty, but for `DATABASE_URL`' : '; a hub starts without those that are left empty'}:\n\n| name | for |\n|---|---|\n${services}\n`}${target.services.some((service) => service === 'database' || service === 'redis') ? `\nThe address of a store may be in a file instead, readable to root and the group \`mcp-hub\`: \`DATABASE_URL_FILE=${paths.root}/database_url\`, \`REDIS_URL_FILE=…\`.\n` : ''}${run.stores === null ? '' : `\nWho has none of them elsewhere lets compose run them beside the hubs, reachable to these only:\n\n\`\`\`sh\n${run.stores}\n\`\`\`\n`}
The first start creates the user \`admin\` with \`MCP_HUB_ADMIN_PASSWORD\`, generated or your own (8 to 72 bytes).

Secrets that are set in the web UI are in \`${run.secretsFile}\`, for all hubs, readable to the hub's user only (mode 0600). A line
\`MCP_HUB_SECRETS_KEY=\` with 32 characters or more in \`${paths.environment}\` has the file encrypted. What stands in \`${paths.environment}\` counts before it.

New values for what was generated:

\`\`\`sh
${run.rotate}
\`\`\`

Every MCP client needs the new token. The same way renews \`JWT_SECRET\`; then everybody has to sign in again.

## 4. A certificate that browsers trust

The first deploy makes one that signs itself${target.tls.certificate === undefined && target.tls.key === undefined ? '' : ', unless yours is there'}. From Let's Encrypt:

\`\`\`sh
${run.certificate}
\`\`\`

certbot renews by a timer and runs the hook each time. Test it with \`certbot renew --dry-run\`.

## 5. Check

\`\`\`sh
${run.check}
\`\`\`

Then open ${publicOrigin(target)} and sign in. MCP clients use \`${publicOrigin(target)}/mcp\` with \`Authorization: Bearer …\`.
${
  many
    ? `
## ${target.instances} hubs

Sessions of older MCP clients live in a hub's memory: their ids name it, and nginx sends their requests there. When that hub goes away, ${target.services.includes('redis') ? 'another one\ngoes on with them (\`REDIS_URL\`).' : 'the\nclient opens a new session at another.'} Each hub starts the MCP servers for itself${target.services.includes('redis') ? '' : ', and counts requests and failed logins for itself (the service redis would have them count together)'}.
Configuration, history and audit log are in PostgreSQL (\`DATABASE_URL\`): the hub that starts first takes over the files of the configuration,
and a change made through one hub is in force at the others within a second. The first deploy makes \`${paths.environment}\` and ends
with 69 until \`DATABASE_URL\` is filled in there: without it each hub would go its own way.${docker || systemd ? '' : '\nA reload restarts the hubs one after the other; a request under way may then fail with 502 and can be sent again.'}
`
    : ''
}
## Upgrade and roll back

Publish again and repeat step 2.${docker ? ' Each new hub starts beside the old one and takes over once it is ready, and the old one finishes what it has begun: no request is lost, but\nfor the two seconds of nginx where the web UI or its configuration differs.' : many && !systemd ? '' : systemd ? ' The old hub finishes what it has begun, what comes meanwhile waits in the socket: no request is lost.' : ' The new hub starts before the old one ends, and the old one finishes what it has begun: no request is lost.'} Back to the release before:

\`\`\`sh
${run.rollback}
\`\`\`

The configuration from before the deploy comes back with it, unless it was changed since; data stays as it is. Called again it goes
forward again; the name of a release in \`${paths.root}/releases\` leads to that one. The newest five are kept.

${
  run.pin === null
    ? ''
    : `## Base images by content

A version such as \`node:24…\` can be built anew by who publishes it. This finds, where Docker reaches the registry, what each is now:

\`\`\`sh
${run.pin}
\`\`\`

Publish with \`--image-digests\` and that line: Dockerfile and compose file then name each by its digest, and nothing else can be fetched. Do it again for
fixes of the same version, and whenever a bundle names other versions, for which older digests do nothing.

`
}## Backup and restore

\`\`\`sh
${run.backup}
\`\`\`

One archive in \`${paths.backups}\` has configuration, users, secrets, history and \`.env\`${target.services.includes('database') ? ', and the database' : ''}. It is read back before older ones go; thirty days
and in any case the newest seven stay. The drill restores the newest on trial. ${systemd ? 'Timers do' : 'cron does'} both. Copy the archives to another machine, and
keep them as you keep secrets.${encrypted}

\`\`\`sh
${run.restore}
\`\`\`

The archive is checked before anything is touched, what is there is backed up first, and comes back when the hubs are not healthy
with what was restored. On a new machine: deploy, then restore with \`--with-env\`.${run.stores === null ? '' : ' The addresses of the stores that compose runs beside the hubs stay those of that machine.'}

## Firewall

\`\`\`sh
${run.firewall}
\`\`\`

The hub itself listens ${docker ? 'inside its network only' : 'on 127.0.0.1 only'}. Metrics at \`/api/metrics\` are refused from outside.
Where SSH listens on another port than 22, put that in its place first, or you lock yourself out.
Without ufw: \`ops/firewall.nft\`, whose first lines say how to try it without being locked out.

## Monitoring

\`ops/prometheus.yml\` scrapes each hub and looks at the site from outside (Debian: \`apt-get install --yes prometheus prometheus-blackbox-exporter\`;
both listen on every address, so keep the firewall). \`ops/alerts.yml\` says when a person is needed, \`ops/grafana-dashboard.json\` shows it all.

## When something is wrong

\`\`\`sh
${run.logs}
\`\`\`

| what you see | cause | cure |
|---|---|---|
| the hub ends with code 78${systemd ? '; after ten tries systemd closes its socket (\`systemctl reset-failed\`, then start the target)' : ', and PM2 says \`waiting restart\` for ever'} | the configuration is broken; the log names file, line and cure | mend it; \`node ${paths.current}/hub/cli.js config check --config ${paths.config}\` |
| \`.env: not found\`, code 9 | \`${paths.environment}\` is missing or unreadable | deploy again: it makes what is missing, with owner and mode |
| 502 from nginx | the hub is not running or still starting | the log; \`curl http://127.0.0.1:${target.basePort}/health/ready\` on the target |
| nginx: \`duplicate default server\` | another site already answers for unknown names | remove \`default_server\` from that site |
| nginx: \`cannot load certificate\` | no certificate yet | deploy again, or step 4 |
| the connection closes without an answer | the name in the request is not \`${target.domain}\` | use that name; check DNS |
| 401 from \`/mcp\` | no token, or an old one | \`MCP_HUB_TOKEN\` in \`${paths.environment}\` |
| a server stays failed | its command is not on this machine, or a value is missing | the server's page says which; PORTABILITY.md in this folder |
| the port is in use | another process has ${target.basePort} | \`ss -ltnp\`; publish with another \`--base-port\`: the hub keeps its data |
| a script ends with 65 | the bundle, or the archive, is damaged | upload it again |
| with 69 | something is missing on this machine; it says what | install that; nothing was changed |
| with 73 | the configuration was changed by somebody else, or a backup could not be kept | \`--config keep\` or \`--config replace\`; room on the disk |
| with 75 | the new release was not healthy, and the one before runs again | what it said, and the log |
| with 76 | neither the new release nor the one before is healthy: **nothing runs as it should** | the log; \`rollback.sh\` to an older release, or restore |
| with 78 | the configuration is refused | mend what it names, and publish again |
## From time to time

| when | what |
|---|---|
| each day | ${systemd ? 'timers make a backup and examine the servers' : 'cron makes a backup and examines the servers'}; the alerts |
| each week | failed servers, the log, who was refused |
| each month | system updates, disk space, what the restore drill said |
| each quarter | who may sign in, which tokens exist, a rollback as practice, a restore on another machine |
`
}
