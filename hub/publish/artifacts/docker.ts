import { isRemote } from '../../contract/index.ts'
import type { TargetService } from '../../contract/publish.ts'
import { targetPaths, type Artifact, type BundleContext } from '../context.ts'
import { commandName } from '../portability.ts'
import { serviceVariables } from '../variables.ts'
import { baseImages, pinned } from './base-images.ts'
import {
  storeDefaults,
  storeImages,
  storeNames,
  storePassword,
  storeService,
  storesOf,
  type Store,
} from './docker-stores.ts'
import { renderComplete, renderSite } from './nginx.ts'

/** The hub's port inside its container; each hub has an address of its own there. */
export const CONTAINER_PORT = 3000

const UV_VERSION = '0.13.8'

/** Where a hub has its folders inside its container. */
const STATE = '/var/lib/mcp-hub'
export const CONTAINER_BACKUPS = `${STATE}/backups`

/** User ids inside the images; compose runs the hub as the user that owns the folders. */
const HUB_UID = 1000
export const NGINX_UID = 101

export const dockerfile: Artifact = {
  path: 'docker/Dockerfile',
  why: 'Two images from one file, hub and web: pinned bases, no root, nothing in them but what runs.',
  render: (context) => {
    const commands = commandsOf(context)
    const uv = commands.has('uv') || commands.has('uvx')
    const python = commands.has('python') || commands.has('python3')
    const uvStage = uv
      ? `
FROM ${pinned(context.target, baseImages.python)} AS uv
RUN pip install --no-cache-dir --root-user-action=ignore uv==${UV_VERSION}
`
      : ''
    const uvCopy = uv ? `COPY --from=uv /usr/local/bin/uv /usr/local/bin/uvx /usr/local/bin/\n` : ''
    const pythonInstall = python
      ? `RUN apt-get update \\
 && apt-get install -y --no-install-recommends python3 python-is-python3 \\
 && rm -rf /var/lib/apt/lists/*
`
      : ''
    return `# Build with the bundle as context: docker compose -f docker/compose.yaml build
# README.md says how bases are pinned by content (@sha256:…).
ARG NODE_IMAGE=${pinned(context.target, baseImages.node)}
ARG NGINX_IMAGE=${pinned(context.target, baseImages.nginx)}
${uvStage}
# Folders that belong to the hub's user; a new volume takes over their content and owner.
FROM \${NODE_IMAGE} AS folders
RUN install -d -o ${HUB_UID} -g ${HUB_UID} -m 0750 /state /state/config /state/data /state/secrets
COPY --chown=${HUB_UID}:${HUB_UID} --chmod=0640 config/ /state/config/

FROM \${NODE_IMAGE} AS hub
${pythonInstall}${uvCopy}COPY --from=folders --chown=${HUB_UID}:${HUB_UID} /state /var/lib/mcp-hub
COPY package.json /app/
COPY hub /app/hub
WORKDIR /app
ENV NODE_ENV=production HOST=0.0.0.0 PORT=${CONTAINER_PORT} CONFIG_DIR=/var/lib/mcp-hub/config DATA_DIR=/var/lib/mcp-hub/data
# What is set in the web UI; the hub writes it with mode 0600.
ENV MCP_HUB_SECRETS_FILE=/var/lib/mcp-hub/secrets/secrets.json
USER ${HUB_UID}:${HUB_UID}
EXPOSE ${CONTAINER_PORT}
STOPSIGNAL SIGTERM
# The image has no curl, and needs none.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \\
  CMD ["node", "-e", "fetch('http://127.0.0.1:${CONTAINER_PORT}/health/ready').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
# Secrets come as one file, not as environment of the container, where docker inspect would show them.
CMD ["node", "--env-file=/run/secrets/hub_env", "--max-old-space-size=512", "--max-semi-space-size=8", "--initial-old-space-size=64", "--expose-gc", "hub/server.js"]

FROM \${NGINX_IMAGE} AS web
COPY docker/nginx.conf /etc/nginx/nginx.conf
COPY web /usr/share/mcp-hub/web
USER ${NGINX_UID}:${NGINX_UID}
EXPOSE 8080 8443
STOPSIGNAL SIGQUIT
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s --retries=3 CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080"]
ENTRYPOINT []
CMD ["nginx", "-p", "/tmp/", "-c", "/etc/nginx/nginx.conf", "-g", "daemon off;"]
`
  },
}

export const dockerNginx: Artifact = {
  path: 'docker/nginx.conf',
  why: 'The same site for the nginx in its image: no root, nothing written but below /tmp, the hubs by their names.',
  render: (context) =>
    renderComplete(
      renderSite(context, {
        upstreams: hubNames(context).map((name, at) => ({
          address: `${inUse(name)}:${CONTAINER_PORT}`,
          instance: String(at + 1),
        })),
        // Of several another one is asked.
        ...(context.target.instances === 1 ? { between: `${hubNames(context)[0] ?? ''}:${CONTAINER_PORT}` } : {}),
        lookAt: '127.0.0.1:8081',
        listen: '',
        ipv6: false,
        httpPort: 8080,
        httpsPort: 8443,
        webDir: '/usr/share/mcp-hub/web',
        acmeDir: '/var/www/acme',
        certificate: '/etc/nginx/tls/fullchain.pem',
        key: '/etc/nginx/tls/privkey.pem',
        accessLog: '/dev/stdout',
        insiders: ['127.0.0.1'],
        modern: true,
        resolver: '127.0.0.11',
      }),
      '/dev/stderr',
    ),
}

export const dockerIgnore: Artifact = {
  path: 'docker/Dockerfile.dockerignore',
  why: 'Keeps everything else out of the build, above all a .env that somebody put beside it.',
  render: () => `*
!package.json
!hub
!web
!config
!docker/nginx.conf
`,
}

export const compose: Artifact = {
  path: 'docker/compose.yaml',
  why: 'Hub and web as services: only web is reachable, the hub has no root, no writable files but its volumes, and no secret in its environment.',
  render: (context) => {
    const { target } = context
    const paths = targetPaths(target)
    const names = hubNames(context)
    const stores = storesOf(target)
    const published =
      target.listenAddress === undefined
        ? ''
        : `${target.listenAddress.includes(':') ? `[${target.listenAddress}]` : target.listenAddress}:`
    // ops/deploy.sh names the release, so that the way back needs no build.
    const image = (name: string): string => `mcp-hub-${name}:\${MCP_HUB_RELEASE:-${context.version}}`
    const service = (name: string, at: number): string => `
  ${name}:
    <<: *hub
    environment:
      <<: *environment
      # Stands before the ids of its sessions; nginx knows it.
      MCP_HUB_INSTANCE: "${at + 1}"
      DATA_DIR: ${STATE}/data/${target.basePort + at}
`
    return `# bash ${paths.current}/ops/hubs.sh start, which also gives the hub in use the name by which web asks it: ${names.map(inUse).join(', ')}.
name: mcp-hub

x-environment: &environment
  HOME: ${STATE}/data
  ACCOUNTS_DIR: ${STATE}/data/accounts
  MCP_HUB_SECRETS_FILE: ${STATE}/data/secrets.json
${target.instances === 1 ? '' : `  # One of several: it does not start without DATABASE_URL.\n  MCP_HUB_SHARED: "yes"\n`}${target.logLevel === undefined ? '' : `  LOG_LEVEL: ${target.logLevel}\n`}
x-hub: &hub
  image: ${image('hub')}
  # The user mcp-hub of this machine, to whom these folders belong.
  user: "\${HUB_UID:?is empty. Write the number of the user mcp-hub into ${paths.environment}}:\${HUB_GID:?is empty. Write the number of the group mcp-hub into ${paths.environment}}"
  volumes:
    - { type: bind, source: ${paths.config}, target: ${STATE}/config, bind: { create_host_path: false } }
    - { type: bind, source: ${paths.data}, target: ${STATE}/data, bind: { create_host_path: false } }
    # So that the hubs see how old the newest archive of ops/backup.sh is.
    - { type: bind, source: ${paths.backups}, target: ${CONTAINER_BACKUPS}, bind: { create_host_path: false } }
  build:
    context: ..
    dockerfile: docker/Dockerfile
    target: hub
  restart: unless-stopped
  init: true
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 1024
  mem_limit: 2g
  ulimits: { nofile: 16384 }
  stop_grace_period: 45s
${hubSecrets(stores)}  # ops/deploy.sh names what is in that file by its hash, so that a hub is made anew with another one.
  labels: { mcp-hub.environment: "\${MCP_HUB_ENVIRONMENT:-}" }
  tmpfs: ["/tmp:mode=1777"]
  # internal: only web and the hubs. outside: what the MCP servers themselves need to reach.
  networks: [internal, outside]
  logging: &logging
    driver: json-file
    options: { max-size: 10m, max-file: "5" }${waitsFor(stores)}
${stores.length === 0 ? '' : storeDefaults}
services:${names.map(service).join('')}
  web:
    image: ${image('web')}
    build:
      context: ..
      dockerfile: docker/Dockerfile
      target: web
    restart: unless-stopped
    init: true
    read_only: true
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    pids_limit: 128
    mem_limit: 512m
    ulimits: { nofile: 16384 }
    # So it is with the certificate, which nginx reads at its start.
    labels: { mcp-hub.certificate: "\${MCP_HUB_CERTIFICATE:-}" }
    tmpfs: ["/tmp:mode=1777"]
    depends_on:
${names.map((name) => `      ${name}: { condition: service_healthy }`).join('\n')}
    # Docker's own rules let published ports past a firewall such as ufw; nothing but these two is published.
    ports:
      - "${published}${target.httpPort}:8080"
      - "${published}${target.httpsPort}:8443"
    volumes:
      # A missing file is an error here; the short form would make an empty folder of that name.
      - { type: bind, source: ${paths.certificate}, target: /etc/nginx/tls/fullchain.pem, read_only: true, bind: { create_host_path: false } }
      - { type: bind, source: ${paths.key}, target: /etc/nginx/tls/privkey.pem, read_only: true, bind: { create_host_path: false } }
      - { type: bind, source: ${paths.acme}, target: /var/www/acme, read_only: true, bind: { create_host_path: false } }
    networks: [internal, edge]
    logging: *logging
${stores.map((store) => storeService(store, target)).join('')}
  # Never started: it makes compose refuse to do anything while one of these is empty.
  required:
    image: ${image('hub')}
    profiles: [never]
    environment:
      JWT_SECRET: \${JWT_SECRET:?is empty. Create ${paths.environment} with the command env}
      MCP_HUB_TOKEN: \${MCP_HUB_TOKEN:?is empty. Create ${paths.environment} with the command env}
${target.services.map((service) => requiredLine(service, paths.environment)).join('')}
secrets:
  hub_env:
    file: ${paths.environment}
${stores.map((store) => `  ${store}_url:\n    file: \${${serviceVariables[store].name}_FILE:-/dev/null}\n`).join('')}${stores.map((store) => `  ${store}_password:\n    file: ${storePassword(paths, store)}\n`).join('')}
networks:
  internal: { internal: true }
  outside: {}
  edge: {}
${stores.length === 0 ? '' : `\nvolumes:\n${stores.map((store) => `  ${store}: {}\n`).join('')}`}`
  },
}

/** A hub waits for a store only where its profile is chosen. */
function waitsFor(stores: Store[]): string {
  if (stores.length === 0) return ''
  return `\n  depends_on:\n${stores.map((store) => `    ${store}: { condition: service_healthy, required: false }`).join('\n')}`
}

/** Compose says by name what a person has not filled in. The address of a store may be in a file: the scripts say that. */
function requiredLine(service: TargetService, file: string): string {
  const { name } = serviceVariables[service]
  return storeNames.some((store) => store === service)
    ? ''
    : `      ${name}: \${${name}:?is empty. Fill it in in ${file}}\n`
}

/** `.env`, and the files that it names by `…_FILE`, at the same place inside. */
function hubSecrets(stores: Store[]): string {
  const files = stores.map((store) => {
    const name = `${serviceVariables[store].name}_FILE`
    return `    - { source: ${store}_url, target: "\${${name}:-/run/secrets/no_${store}_url}" }\n`
  })
  return files.length === 0
    ? '  secrets: [hub_env]\n'
    : `  # A file that ${stores.map((store) => `${serviceVariables[store].name}_FILE`).join(' or ')} names has the same place inside.\n  secrets:\n    - hub_env\n${files.join('')}`
}

/**
 * What the container is called whose hub is in use. A name can be taken from a running container, and an alias of compose cannot: so
 * nginx forgets a hub before that is told to end.
 */
export function inUse(name: string): string {
  return `mcp-hub-${name}-in-use`
}

export function hubNames({ target }: BundleContext): string[] {
  return Array.from({ length: target.instances }, (_, index) => (target.instances === 1 ? 'hub' : `hub-${index + 1}`))
}

/** The images that compose and Dockerfile of this bundle begin with. */
export function imagesOf(context: BundleContext): string[] {
  const commands = commandsOf(context)
  const { node, nginx, python } = baseImages
  const needsUv = commands.has('uv') || commands.has('uvx')
  // A cluster runs none of the stores, but its backups need PostgreSQL's own programs.
  const stores = storesOf(context.target).filter((store) => context.target.mode === 'docker' || store === 'database')
  return [node, nginx, ...(needsUv ? [python] : []), ...stores.map((store) => storeImages[store])]
}

function commandsOf({ servers }: BundleContext): Set<string> {
  return new Set(Object.values(servers).flatMap((server) => (isRemote(server) ? [] : [commandName(server.command)])))
}
