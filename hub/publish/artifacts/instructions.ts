import { hubPorts, type BundleContext } from '../context.ts'
import { serviceVariables } from '../variables.ts'
import { storePassword, storesOf, storeUrl } from './docker-stores.ts'
import { imagesOf, NGINX_UID } from './docker.ts'

/** The commands of both READMEs, so that the two languages can never tell different steps. All are run as root on the target. */
export interface Instructions {
  before: string
  upload: string
  deploy: string
  /** Where the hub keeps what is set in its web UI. */
  secretsFile: string
  /** Fills in what people have to give, and lets the hubs read it. */
  edit: string
  /** Makes compose run the stores beside the hubs; null where the target asks for none. */
  stores: string | null
  /** Says what to publish with, so that base images are pinned by content; null where there are none. */
  pin: string | null
  certificate: string
  check: string
  rollback: string
  rotate: string
  backup: string
  restore: string
  firewall: string
  logs: string
}

const NODE_VERSION = '24.21.0'
const PM2_VERSION = '7.0.4'

export function instructions(context: BundleContext, release: string): Instructions {
  const { target, paths } = context
  const upload = `rsync -a ./ root@${target.domain}:${paths.root}/releases/${release}/`
  const certificate = (owner: string, reload: string): string => `apt-get install --yes certbot
certbot certonly --webroot -w ${paths.acme} -d ${target.domain} --deploy-hook \\
  'install${owner} -m 0644 "$RENEWED_LINEAGE/fullchain.pem" ${paths.certificate} && install${owner} -m 0600 "$RENEWED_LINEAGE/privkey.pem" ${paths.key} && ${reload}'`
  const shared = {
    upload,
    firewall: `ufw limit 22/tcp && ufw allow ${target.httpPort}/tcp && ufw allow ${target.httpsPort}/tcp && ufw enable`,
  }
  // By the name of the project: the compose file has no value for the hub's user but what the scripts give it.
  const compose = 'docker compose -p mcp-hub'
  const docker = target.mode === 'docker'
  const ports = hubPorts(target)
  const systemd = target.mode === 'systemd'
  const encrypted = target.backupRecipients.length > 0
  const ops = `${paths.current}/ops`
  return {
    ...shared,
    before: `curl -fsSLO https://nodejs.org/dist/v${NODE_VERSION}/node-v${NODE_VERSION}-linux-x64.tar.xz
curl -fsSL https://nodejs.org/dist/v${NODE_VERSION}/SHASUMS256.txt | grep ' node-v${NODE_VERSION}-linux-x64.tar.xz$' | sha256sum --check
tar -xJf node-v${NODE_VERSION}-linux-x64.tar.xz -C /usr/local --strip-components=1 --no-same-owner
${docker ? 'docker compose version     # 2.20 or later, with Docker 23 or later\n' : systemd ? '' : `npm install --global pm2@${PM2_VERSION}\n`}apt-get install --yes ${docker ? '' : 'nginx logrotate '}${systemd ? '' : 'cron '}curl openssl rsync${target.services.includes('database') ? ' postgresql-client' : ''}${encrypted ? ' age' : ''}
install -d -m 0755 ${paths.root} ${paths.root}/releases`,
    deploy: `sudo bash ${paths.root}/releases/${release}/ops/deploy.sh`,
    secretsFile: `${paths.data}/secrets.json`,
    // Compose starts nothing while a service has no address, and several hubs not without their database: there the deploy is repeated.
    edit: `editor ${paths.environment}
${docker || target.instances > 1 ? `bash ${paths.root}/releases/${release}/ops/deploy.sh` : `bash ${ops}/hubs.sh start`}`,
    stores: docker ? storesBeside(context) : null,
    pin: docker ? findDigests(context) : null,
    certificate: docker
      ? certificate(` -o ${NGINX_UID} -g ${NGINX_UID}`, `bash ${ops}/hubs.sh start`)
      : certificate('', 'nginx -t && systemctl reload nginx'),
    check: `bash ${ops}/smoke.sh
bash ${ops}/hubs.sh status`,
    rollback: `bash ${ops}/rollback.sh`,
    rotate: `bash ${ops}/deploy.sh --rotate MCP_HUB_TOKEN`,
    backup: `bash ${ops}/backup.sh
bash ${ops}/restore-drill.sh`,
    restore: `bash ${ops}/restore.sh ${paths.backups}/latest${encrypted ? ' --identity KEY_FILE' : ''}`,
    logs: docker
      ? `${compose} ps\n${compose} logs --tail 100 ${target.instances === 1 ? 'hub' : 'hub-1'}`
      : `${
          systemd
            ? `systemctl status --no-pager mcp-hub.target ${ports.map((port) => `mcp-hub@${port}.service`).join(' ')}
systemctl list-timers 'mcp-hub-*'
journalctl --no-pager --lines 100 --output cat ${ports.map((port) => `--unit mcp-hub@${port}.service`).join(' ')}`
            : `bash ${ops}/hubs.sh status
tail -n 100 ${paths.logs}/hub-${ports[0] ?? 3000}.log ${paths.logs}/pm2-${ports[0] ?? 3000}.err.log`
        }
tail -n 100 /var/log/nginx/mcp-hub.access.log`,
  }
}

/** Says what each base image is now, where Docker reaches the registry. */
export function findDigests(context: BundleContext): string {
  return `for image in ${imagesOf(context).join(' ')}; do
  echo "$image@$(docker buildx imagetools inspect "$image" --format '{{.Manifest.Digest}}')"
done | paste -sd,`
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
        // By its input: everybody on the machine sees the arguments of a program.
        `sed -i -f - ${paths.environment} <<<"s|^${name}=$|${name}=${storeUrl(store, `$(cat ${file})`)}|"`,
      ]
    }),
    `grep -q '^COMPOSE_PROFILES=' ${paths.environment} || echo COMPOSE_PROFILES=${stores.join(',')} >> ${paths.environment}`,
  ].join('\n')
}
