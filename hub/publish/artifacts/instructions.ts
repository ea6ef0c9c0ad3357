import { hubPorts, publicOrigin, type BundleContext } from '../context.ts'
import { serviceVariables } from '../variables.ts'
import { storePassword, storesOf, storeUrl } from './docker-stores.ts'
import { NGINX_UID } from './docker.ts'

/** The commands of both READMEs, so that the two languages can never tell different steps. All are run as root on the target. */
export interface Instructions {
  node: string
  nodeDocker: string
  folders: string
  upload: string
  unpack: string
  environment: string
  /** Makes compose run the stores beside the hubs; null where the target asks for none. */
  stores: string | null
  /** Where the hub keeps what is set in its web UI. */
  secretsFile: string
  start: string
  certificateFirst: string
  nginx: string
  certificate: string
  check: string
  upgrade: string
  rollback: string
  token: string
  backup: string
  firewall: string
  logs: string
}

const NODE_VERSION = '24.21.0'
const PM2_VERSION = '7.0.4'

export function instructions(context: BundleContext, release: string): Instructions {
  const { target, paths } = context
  const docker = target.mode === 'docker'
  const systemd = target.mode === 'systemd'
  const { root, current } = paths
  const ports = hubPorts(target)
  const folder = `${root}/releases/${release}`
  const compose = `docker compose --env-file ${paths.environment} -f ${current}/docker/compose.yaml`
  const pm2 = 'sudo -u mcp-hub -H pm2'
  const ownTls = target.tls.certificate !== undefined || target.tls.key !== undefined
  const keyOwner = docker ? ` -o ${NGINX_UID} -g ${NGINX_UID}` : ''
  const reload = docker ? `${compose} up -d --force-recreate --no-deps web` : 'nginx -t && systemctl reload nginx'
  const services = ports.map((port) => `mcp-hub@${port}.service`).join(' ')
  const units = `install -m 0644 -t /etc/systemd/system ${current}/systemd/*
systemctl daemon-reload`
  // One after the other, so that another hub answers meanwhile; with one, its socket holds what comes.
  const restartUnits = ports.map((port) => `systemctl restart mcp-hub@${port}.service`).join(' && ')
  const restart = docker
    ? `${compose} up -d --build --wait`
    : systemd
      ? `${units}
systemctl start mcp-hub.target
${restartUnits}`
      : `${pm2} startOrReload ${current}/pm2/ecosystem.config.cjs && ${pm2} save`
  const insecure = ownTls ? '' : ' --insecure'

  return {
    node: `curl -fsSLO https://nodejs.org/dist/v${NODE_VERSION}/node-v${NODE_VERSION}-linux-x64.tar.xz
curl -fsSL https://nodejs.org/dist/v${NODE_VERSION}/SHASUMS256.txt | grep ' node-v${NODE_VERSION}-linux-x64.tar.xz$' | sha256sum --check
tar -xJf node-v${NODE_VERSION}-linux-x64.tar.xz -C /usr/local --strip-components=1 --no-same-owner
${systemd ? '' : `npm install --global pm2@${PM2_VERSION}\n`}apt-get install --yes nginx sudo rsync logrotate`,
    nodeDocker: `docker --version           # 23 or later
docker compose version     # 2.20 or later
node --version             # 24 or later, for the scripts in ops/
apt-get install --yes rsync`,
    folders: `useradd --system --home-dir ${paths.data} --shell /usr/sbin/nologin mcp-hub
install -d -m 0755 ${root} ${root}/releases ${paths.acme}
install -d -m 0700 ${root}/tls
install -d -o mcp-hub -g mcp-hub -m 0750 ${paths.config} ${paths.data} ${paths.logs} ${paths.backups}`,
    upload: `rsync -a --chown=root:root ./ root@${target.domain}:${folder}/`,
    unpack: `cd ${folder} && sha256sum --check --quiet SHA256SUMS
ln -sfn releases/${release} ${current}
install -o mcp-hub -g mcp-hub -m 0640 -t ${paths.config} ${current}/config/*.json`,
    environment: `${docker ? `docker run --rm -v ${root}:${root} -w ${current} node:${NODE_VERSION}-trixie-slim node` : 'node'} ${current}/hub/cli.js env --example ${current}/.env.example --out ${paths.environment}
chown root:mcp-hub ${paths.environment} && chmod 0640 ${paths.environment}
${
  docker
    ? `grep -q '^HUB_UID=' ${paths.environment} || printf 'HUB_UID=%s\\nHUB_GID=%s\\n' "$(id -u mcp-hub)" "$(id -g mcp-hub)" >> ${paths.environment}\n`
    : ''
}editor ${paths.environment}`,
    stores: docker ? storesBeside(context) : null,
    secretsFile: `${paths.data}/secrets.json`,
    start: docker
      ? restart
      : `node ${current}/hub/cli.js config check --config ${paths.config}
${
  systemd
    ? `${units}
systemctl enable --now mcp-hub.target`
    : `${restart}
pm2 startup systemd -u mcp-hub --hp ${paths.data}
install -m 0644 ${current}/ops/logrotate.conf /etc/logrotate.d/mcp-hub`
}
${ports.map((port) => `curl --fail http://127.0.0.1:${port}/health/ready`).join('\n')}`,
    certificateFirst: ownTls
      ? `ls -l ${paths.certificate} ${paths.key}`
      : `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \\
  -subj /CN=${target.domain} -addext subjectAltName=DNS:${target.domain} \\
  -keyout ${paths.key} -out ${paths.certificate}${docker ? `\nchown ${NGINX_UID}:${NGINX_UID} ${paths.key} ${paths.certificate}` : ''}`,
    nginx: `rm -f /etc/nginx/sites-enabled/default
ln -sfn ${current}/nginx/mcp-hub.conf /etc/nginx/conf.d/mcp-hub.conf
nginx -t && systemctl reload nginx`,
    certificate: `apt-get install --yes certbot
certbot certonly --webroot -w ${paths.acme} -d ${target.domain} --deploy-hook \\
  'install${keyOwner} -m 0644 "$RENEWED_LINEAGE/fullchain.pem" ${paths.certificate} && install${keyOwner} -m 0600 "$RENEWED_LINEAGE/privkey.pem" ${paths.key} && ${reload}'`,
    check: `curl --fail${insecure} ${publicOrigin(target)}/health
TOKEN=$(sed -n 's/^MCP_HUB_TOKEN=//p' ${paths.environment})
curl --fail${insecure} -H "Authorization: Bearer $TOKEN" ${publicOrigin(target)}/api/servers
curl --fail${insecure} -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -H 'Accept: application/json, text/event-stream' ${publicOrigin(target)}/mcp \\
  -d '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"curl","version":"1"}}}'`,
    upgrade: `ln -sfn releases/RELEASE ${current}
${restart}${docker ? '' : '\nnginx -t && systemctl reload nginx'}`,
    rollback: `ls -t ${root}/releases
ln -sfn releases/PREVIOUS ${current}
${restart}${docker ? '' : '\nnginx -t && systemctl reload nginx'}`,
    token: `sed -i 's/^MCP_HUB_TOKEN=.*/MCP_HUB_TOKEN=/' ${paths.environment}
${docker ? `docker run --rm -v ${root}:${root} node:${NODE_VERSION}-trixie-slim node` : 'node'} ${current}/hub/cli.js env --example ${current}/.env.example --out ${paths.environment}
${docker ? `${compose} up -d --force-recreate --wait` : systemd ? restartUnits : `${pm2} reload all`}`,
    backup: `umask 077
(cd ${root} && find config .env data/secrets.json -maxdepth 0 2>/dev/null | tar -czf - -T -) > mcp-hub-backup.tar.gz
tar -tzf mcp-hub-backup.tar.gz`,
    firewall: `ufw limit 22/tcp && ufw allow ${target.httpPort}/tcp && ufw allow ${target.httpsPort}/tcp && ufw enable`,
    logs: docker
      ? `${compose} ps
${compose} logs --tail 100 ${target.instances === 1 ? 'hub' : 'hub-1'}`
      : `${
          systemd
            ? `systemctl status --no-pager mcp-hub.target ${services}
systemctl list-timers 'mcp-hub-*'
journalctl --no-pager --lines 100 --output cat ${ports.map((port) => `--unit mcp-hub@${port}.service`).join(' ')}`
            : `${pm2} status
tail -n 100 ${paths.logs}/hub-${ports[0] ?? 3000}.log ${paths.logs}/pm2-${ports[0] ?? 3000}.err.log`
        }
tail -n 100 /var/log/nginx/mcp-hub.access.log`,
  }
}

/** A password for each store, its address in `.env`, and its profile: nothing is done twice. */
function storesBeside({ target, paths }: BundleContext): string | null {
  const stores = storesOf(target)
  if (stores.length === 0) return null
  return [
    `install -d -m 0700 ${paths.root}/secrets`,
    ...stores.flatMap((store) => {
      const file = storePassword(paths, store)
      const { name } = serviceVariables[store]
      return [
        `[ -s ${file} ] || { openssl rand -hex 24 > ${file} && chmod 0444 ${file}; }`,
        `sed -i "s|^${name}=$|${name}=${storeUrl(store, `$(cat ${file})`)}|" ${paths.environment}`,
      ]
    }),
    `grep -q '^COMPOSE_PROFILES=' ${paths.environment} || echo COMPOSE_PROFILES=${stores.join(',')} >> ${paths.environment}`,
  ].join('\n')
}
