import { contentSecurityPolicy, NONCE_PLACEHOLDER } from '../../contract/csp.ts'
import { hubPorts, nginxNeeded, OLDEST_NGINX, publicOrigin, type Artifact, type BundleContext } from '../context.ts'

/** What differs between nginx on the target itself, a complete nginx of its own, and nginx in its image. */
export interface NginxPlace {
  /** `host:port` of each hub, and its MCP_HUB_INSTANCE, which stands before the ids of its sessions. */
  upstreams: { address: string; instance: string }[]
  /** Containers: who is asked while the name of the one hub is being handed over. */
  between?: string
  /** Where, from inside alone, scripts see which hub each pool leads to. */
  lookAt?: string
  /** Empty for every address, else `127.0.0.1:` or the like. */
  listen: string
  /** Also on IPv6; false where one address is given. */
  ipv6: boolean
  httpPort: number
  httpsPort: number
  webDir: string
  acmeDir: string
  certificate: string
  key: string
  accessLog: string
  /** Addresses that may read metrics and the detailed health. */
  insiders: string[]
  /** nginx 1.25.1 or later: HTTP/2 by a directive of its own; the older form is warned of there, the newer refused before. */
  modern: boolean
  /** Who knows the names of the hubs, where they have names; nginx 1.27.3 or later looks them up again while it runs. */
  resolver: string | null
  /** In a cluster: TLS ends before it, and one name stands for any number of hubs. */
  cluster?: {
    /** File with the resolver and the name; both are known only there. */
    hubs: string
    /** Addresses that a proxy in front may have; it says who the client is. */
    proxies: string[]
  }
}

export const CIPHERS = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
].join(':')

export function hostPlace({ target, paths }: BundleContext): NginxPlace {
  const bind = target.listenAddress
  return {
    upstreams: hubPorts(target).map((port) => ({ address: `127.0.0.1:${port}`, instance: String(port) })),
    listen: bind === undefined ? '' : `${bind.includes(':') ? `[${bind}]` : bind}:`,
    ipv6: bind === undefined,
    httpPort: target.httpPort,
    httpsPort: target.httpsPort,
    webDir: `${paths.current}/web`,
    acmeDir: paths.acme,
    certificate: paths.certificate,
    key: paths.key,
    accessLog: '/var/log/nginx/mcp-hub.access.log',
    insiders: ['127.0.0.1', '::1'],
    modern: nginxNeeded(target) !== OLDEST_NGINX,
    resolver: null,
  }
}

export const nginxSite: Artifact = {
  path: 'nginx/mcp-hub.conf',
  why: 'The site for the nginx of the target: TLS, the web UI, and the hub behind it with streaming that nginx does not hold back.',
  render: (context) => renderSite(context, hostPlace(context)),
}

export const nginxComplete: Artifact = {
  path: 'nginx/nginx.conf',
  why: 'A complete configuration, for a machine where nginx serves nothing else or runs without root: nginx -p FOLDER -c …/nginx.conf.',
  render: (context) => renderComplete(renderSite(context, { ...hostPlace(context), accessLog: 'access.log' })),
}

/** Everything that nginx writes lies under its prefix, so that any user can run it. */
export function renderComplete(site: string, errorLog = 'error.log'): string {
  return `# A complete nginx configuration around the site of MCP Hub. Relative paths are below the folder given with -p.
# As root, workers run as the user that was built in; the web folder and nothing else must be readable to it.
worker_processes auto;
pid nginx.pid;
error_log ${errorLog} warn;

events {
  worker_connections 4096;
}

http {
  types {
    text/html html;
    text/css css;
    text/javascript js mjs;
    application/json json map;
    application/wasm wasm;
    image/svg+xml svg;
    image/png png;
    image/x-icon ico;
    image/webp webp;
    font/woff2 woff2;
  }
  default_type application/octet-stream;
  charset_types text/css text/javascript application/json image/svg+xml;
  charset utf-8;
  # The site has its own; the default one lies where only root may write.
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path body_temp;
  proxy_temp_path proxy_temp;
  fastcgi_temp_path fastcgi_temp;
  uwsgi_temp_path uwsgi_temp;
  scgi_temp_path scgi_temp;

${site.replace(/^(?=.)/gm, '  ')}}
`
}

/** The part inside `http {}`. Each directive that is left out has a default that is right; each one here has its reason beside it. */
export function renderSite({ target, system }: BundleContext, place: NginxPlace): string {
  const bytes = requestLimit({ system })
  const listen = (port: number, options: string): string =>
    [place.listen, ...(place.ipv6 ? ['[::]:'] : [])]
      .map((address) => `  listen ${address}${port}${options};`)
      .join('\n')
  const tls = place.modern ? ' ssl' : ' ssl http2'
  const http2 = place.modern ? '\n  http2 on;' : ''
  const insiders = place.insiders.map((address) => `    allow ${address};\n`).join('')
  const { cluster } = place
  const many = place.upstreams.length > 1
  const affinity =
    many || cluster !== undefined
      ? `  # What a call waits for is in a hub's memory: the requests of a client go to one hub, also those without a session.\n  hash $remote_addr$http_authorization consistent;\n`
      : ''
  // Learned from the answer that opens a session: it stays where it is when a hub is added.
  const learned =
    cluster === undefined
      ? ''
      : `  sticky learn create=$upstream_http_mcp_session_id lookup=$http_mcp_session_id zone=mcp_hub_sessions:1m timeout=1h header;\n`
  const resolver =
    place.resolver === null
      ? ''
      : `  # A container that is made anew may have another address, and nobody answers until it is known.\n  resolver ${place.resolver} valid=1s;\n  resolver_timeout 1s;\n`
  // Containers: where nothing answers, the hub has another address, or none; that is known in a moment. nginx counts whole seconds:
  // with 0 it asks again in the next one.
  const times =
    place.resolver === null
      ? { failed: '2s', connect: '5s', idle: '2s', tries: 2 }
      : { failed: '0', connect: '100ms', idle: '500ms', tries: 2 * place.upstreams.length }
  const server = (address: string, more = ''): string =>
    `  server ${address} fail_timeout=${times.failed}${place.resolver === null ? '' : ' resolve'}${more};\n`
  const instances = place.upstreams.map(({ address, instance }, at) => ({
    tag: instance,
    // When it is gone another one goes on with its sessions: the next, by its weight, for nginx would take them by turns.
    servers:
      server(address) +
      [...place.upstreams.slice(at + 1), ...place.upstreams.slice(0, at)]
        .map((other, order) => server(other.address, order === 0 ? ' backup weight=1000000' : ' backup'))
        .join(''),
  }))
  const keepalive = `  keepalive 32;
  # Shorter than the hub's drain, so that no request is sent on a connection that the hub is about to close.
  keepalive_timeout ${times.idle};
`
  const pools = many
    ? `
# The id of a session begins with the hub that has it, whatever address its client comes from.
map $http_mcp_session_id$arg_sessionId $mcp_hub_pool {
  default mcp_hub;
${instances.map(({ tag }) => `  ~^${tag}\\. mcp_hub_${tag};\n`).join('')}}
${instances.map(({ tag, servers }) => `\nupstream mcp_hub_${tag} {\n  zone mcp_hub_${tag} 64k;\n${resolver}${servers}${keepalive}}\n`).join('')}`
    : ''

  return `# MCP Hub at ${publicOrigin(target)}. Generated: change the target and publish again instead of editing.

log_format mcp_hub escape=json
  '{"time":"$time_iso8601","id":"$request_id","client":"$remote_addr","method":"$request_method","path":"$uri",'
  '"status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"hub":"$upstream_addr",'
  '"hubSeconds":"$upstream_response_time","mcpMethod":"$http_mcp_method"}';

limit_req_zone $binary_remote_addr zone=mcp_hub_login:10m rate=10r/m;
limit_conn_zone $binary_remote_addr zone=mcp_hub_connections:10m;

# The policy is for files that nginx serves; the hub sends its own with its answers.
map $upstream_addr $mcp_hub_csp {
  default "";
  "" "${contentSecurityPolicy('$request_id')}";
}

# Only files with a hash in their name may be kept; the hub decides for its own answers.
map $uri $mcp_hub_cache {
  default "no-cache";
  ~^/assets/ "public, max-age=31536000, immutable";
  ~^/(?:api|mcp|sse|messages|health|oauth|\\.well-known)(?:/|$) "";
}

upstream mcp_hub {
  zone mcp_hub 256k;
${cluster === undefined ? resolver : `  include ${cluster.hubs};\n`}${affinity}${learned}${place.upstreams.map(({ address }) => server(address)).join('')}${place.between === undefined ? '' : server(place.between, ' backup')}${keepalive}}
${pools}${place.lookAt === undefined ? '' : lookout(place.lookAt)}
# Whoever does not ask for ${target.domain} gets nothing, not even a certificate.
server {
${listen(place.httpPort, ' default_server')}
  server_name _;
  return 444;
}

${
  cluster === undefined
    ? `server {
${listen(place.httpsPort, `${tls} default_server`)}${http2}
  server_name _;
${tlsSettings()}  ssl_reject_handshake on;
  return 444;
}

server {
${listen(place.httpPort, '')}
  server_name ${target.domain};
  server_tokens off;

  location ^~ /.well-known/acme-challenge/ {
    root ${place.acmeDir};
    default_type text/plain;
  }

  # 308 keeps the method: with 301 a POST would arrive as a GET.
  location / {
    return 308 ${publicOrigin(target)}$request_uri;
  }
}

server {
${listen(place.httpsPort, tls)}${http2}
  server_name ${target.domain};
  ssl_certificate ${place.certificate};
  ssl_certificate_key ${place.key};
${tlsSettings()}`
    : `server {
${listen(place.httpPort, '')}
  server_name ${target.domain};
  # Only a proxy of the cluster is believed when it says who the client is.
${cluster.proxies.map((address) => `  set_real_ip_from ${address};\n`).join('')}  real_ip_header X-Forwarded-For;
  real_ip_recursive on;
`
}  server_tokens off;
  access_log ${place.accessLog} mcp_hub;
  client_header_timeout 10s;
  client_body_timeout 30s;
  client_max_body_size ${bytes};
  # MCP clients repeat arguments in headers.
  large_client_header_buffers 8 16k;
  limit_conn mcp_hub_connections 200;
  limit_conn_status 429;
  limit_req_status 429;
  reset_timedout_connection on;

  # One place for all headers: add_header inside a location would drop every one of these there.
  add_header Strict-Transport-Security "max-age=31536000; includeSubDomains" always;
  add_header X-Content-Type-Options "nosniff" always;
  add_header X-Frame-Options "DENY" always;
  add_header Referrer-Policy "no-referrer" always;
  add_header Cross-Origin-Opener-Policy "same-origin" always;
  add_header Content-Security-Policy $mcp_hub_csp always;
  add_header Cache-Control $mcp_hub_cache;
  proxy_hide_header Strict-Transport-Security;
  proxy_hide_header X-Content-Type-Options;
  proxy_hide_header X-Frame-Options;
  proxy_hide_header Referrer-Policy;
  proxy_hide_header Cross-Origin-Opener-Policy;

  # What the client claims about itself is overwritten, never passed on. Answers are never cached: they belong to one user.
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $http_host;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Proto https;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Request-Id $request_id;
  proxy_set_header Upgrade "";
  proxy_connect_timeout ${times.connect};
  # A request that was sent is not sent again, except where a hub refuses the connection.
  proxy_next_upstream error timeout;
  proxy_next_upstream_tries ${times.tries};

  # Never a prefix that ends in a slash before proxy_pass: nginx would answer the path without the slash with a 301.
  location = /health {
    access_log off;
    proxy_pass http://mcp_hub;
  }

  location ~ ^/health/ {
    access_log off;
${insiders}    deny all;
    proxy_pass http://mcp_hub;
  }

  location = /api/metrics {
${insiders}    deny all;
    proxy_pass http://mcp_hub;
  }

  location ~ ^/api/auth/(?:login|setup)$ {
    limit_req zone=mcp_hub_login burst=10 nodelay;
    proxy_pass http://mcp_hub;
  }

  # Streams: nothing is held back, nothing is cut while a tool works in silence. In MCP, a closed stream cancels the call.
  location ~ ^/(?:mcp|sse|messages|api/events|api/tools/call)(?:/|$) {
    proxy_buffering off;
    proxy_request_buffering off;
    proxy_cache off;
    gzip off;
    proxy_read_timeout 1h;
    proxy_send_timeout 1h;
    proxy_pass http://${many ? '$mcp_hub_pool' : 'mcp_hub'};
  }

  # A dry run of a server may have to download it first.
  location ~ ^/api/servers(?:/|$) {
    proxy_read_timeout 10m;
    proxy_pass http://mcp_hub;
  }

  location ~ ^/api(?:/|$) {
    proxy_read_timeout 60s;
    proxy_pass http://mcp_hub;
  }

  location ~ ^/\\.well-known/ {
    proxy_pass http://mcp_hub;
  }

  # Where browsers come back to from signing in to a remote server; the hub then asks that server's own for tokens.
  location ~ ^/oauth/ {
    proxy_read_timeout 60s;
    proxy_pass http://mcp_hub;
  }

  location ~ /\\. {
    return 404;
  }

  root ${place.webDir};
  gzip_vary on;
  gzip_min_length 1024;
  gzip_types text/css text/javascript application/javascript application/json image/svg+xml application/wasm;

  location /assets/ {
    gzip on;
    try_files $uri =404;
  }

  location = /index.html {
    # The page's own styles carry the nonce of this very answer.
    sub_filter_once off;
    sub_filter ${NONCE_PLACEHOLDER} $request_id;
  }

  location / {
    gzip on;
    index index.html;
    try_files $uri /index.html;
  }
}
`
}

/** A hub is ready where requests of clients are: behind this nginx. */
function lookout(address: string): string {
  return `
# Which hub each pool leads to, for ops/*.sh: nobody reaches this but from inside.
server {
  listen ${address};
  access_log off;
  location ~ ^/(mcp_hub(?:_[0-9]+)?)$ {
    add_header X-Hub $upstream_addr always;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host ${address};
    proxy_set_header Authorization "";
    proxy_pass http://$1/health/ready;
  }
}
`
}

/** What the hub takes, and never less than 10 MB. */
export function requestLimit({ system }: Pick<BundleContext, 'system'>): number {
  return Math.max(10_485_760, system.limits?.maxRequestBytes ?? 0)
}

/** The same in each server of the port: nginx takes the protocols from the default server, whatever the others say. */
function tlsSettings(): string {
  return `  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_ciphers ${CIPHERS};
  ssl_prefer_server_ciphers off;
  ssl_session_tickets off;
  ssl_session_timeout 1d;
  ssl_session_cache shared:mcp_hub_tls:10m;
`
}
