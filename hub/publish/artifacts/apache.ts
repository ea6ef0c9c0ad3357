import { hubPorts, publicOrigin, type Artifact } from '../context.ts'
import { CIPHERS, requestLimit } from './nginx.ts'

export const apacheSite: Artifact = {
  path: 'apache/mcp-hub.conf',
  why: 'For a target whose web server is Apache 2.4: TLS, and everything else to the hub, which serves the web UI itself then.',
  render: (context) => {
    const { target, paths } = context
    const ports = hubPorts(target)
    const [first = target.basePort] = ports
    const address = target.listenAddress
    const on = (port: number): string =>
      `${address === undefined ? '*' : address.includes(':') ? `[${address}]` : address}:${port}`
    const listen = [...new Set([target.httpPort, target.httpsPort])].filter((port) => port !== 80 && port !== 443)
    // What a call waits for is in a hub's memory, and Apache cannot choose by who asks: sessions find theirs by their id.
    const sessions = ports
      .slice(1)
      .map(
        (port) => `  RewriteCond %{HTTP:Mcp-Session-Id} ^${port}\\. [OR]
  RewriteCond %{QUERY_STRING} (?:^|&)sessionId=${port}\\.
  RewriteRule ^/(.*)$ balancer://mcp-hub-${port}/$1 [P,L]
`,
      )
      .join('')
    return `# MCP Hub at ${publicOrigin(target)}. Generated: change the target and publish again instead of editing.
# a2enmod ssl http2 proxy proxy_http${ports.length > 1 ? ' proxy_balancer lbmethod_byrequests' : ''} headers rewrite && ln -s ${paths.current}/apache/mcp-hub.conf /etc/apache2/sites-enabled/000-mcp-hub.conf
# ops/deploy.sh and a push do not deploy to such a target: they want nginx, and give it these ports. Hubs behind Apache are started by hand.
# nginx is what a bundle is made for: it also limits sign-ins and connections by address, and sends a client without a session to one
# hub. Here the hub does that alone.${ports.length > 1 ? ` Of several hubs all that has no session of another goes to the one on ${first}; while a hub is gone the next one takes what was its.` : ''}
${listen.map((port) => `Listen ${port}\n`).join('')}
# Whoever does not ask for ${target.domain} is refused. The first site of a port is the one for unknown names.
<VirtualHost ${on(target.httpPort)}>
  ServerName unknown.invalid
  <Location "/">
    Require all denied
  </Location>
</VirtualHost>

<VirtualHost ${on(target.httpsPort)}>
  ServerName unknown.invalid
${tlsSettings(paths)}  <Location "/">
    Require all denied
  </Location>
</VirtualHost>

<VirtualHost ${on(target.httpPort)}>
  ServerName ${target.domain}
  Alias "/.well-known/acme-challenge/" "${paths.acme}/.well-known/acme-challenge/"
  <Directory "${paths.acme}">
    Require all granted
  </Directory>
  # 308 keeps the method: with 301 a POST would arrive as a GET.
  RewriteEngine on
  RewriteRule ^/(?!\\.well-known/acme-challenge/)(.*)$ ${publicOrigin(target)}/$1 [R=308,L,NE]
</VirtualHost>

<VirtualHost ${on(target.httpsPort)}>
  ServerName ${target.domain}
  Protocols h2 http/1.1
${tlsSettings(paths)}  Header always set Strict-Transport-Security "max-age=31536000; includeSubDomains"
  ServerSignature Off
  LimitRequestBody ${requestLimit(context)}

  # What the client claims about itself is overwritten, never passed on.
  ProxyRequests Off
  ProxyPreserveHost On
  ProxyAddHeaders Off
  RequestHeader set X-Forwarded-For "expr=%{REMOTE_ADDR}"
  RequestHeader set X-Real-IP "expr=%{REMOTE_ADDR}"
  RequestHeader set X-Forwarded-Proto https
  RequestHeader set X-Forwarded-Host "expr=%{HTTP_HOST}"

  <LocationMatch "^/(?:api/metrics$|health/)">
    Require local
  </LocationMatch>

  # Streams: nothing is held back, and nothing is cut while a tool works in silence. In MCP, a closed stream cancels the call.
  Timeout 3600
  ProxyTimeout 3600
  RewriteEngine on
  AllowEncodedSlashes NoDecode
${
  ports.length === 1
    ? `  ProxyPass / http://127.0.0.1:${first}/ ${PROXY} nocanon`
    : `${ports.map((_, at) => balancer([...ports.slice(at), ...ports.slice(0, at)])).join('')}${sessions}  ProxyPass / balancer://mcp-hub-${first}/ nocanon`
}
</VirtualHost>
`
  },
}

/** A hub, and when it is gone the next one: `lbset` is asked only while none of a lower one is there, so that it is always the same. */
function balancer(ports: readonly number[]): string {
  const members = ports.map(
    (port, set) => `    BalancerMember http://127.0.0.1:${port} ${PROXY} retry=2 lbset=${set}\n`,
  )
  return `  <Proxy balancer://mcp-hub-${ports[0]}>\n${members.join('')}  </Proxy>\n`
}

/** Connections are kept for less time than the hub's drain, so that no request is sent on one that the hub is about to close. */
const PROXY = 'flushpackets=on connectiontimeout=5 timeout=3600 ttl=2'

function tlsSettings({ certificate, key }: { certificate: string; key: string }): string {
  return `  SSLEngine on
  SSLCertificateFile ${certificate}
  SSLCertificateKeyFile ${key}
  SSLProtocol -all +TLSv1.2 +TLSv1.3
  SSLCipherSuite ${CIPHERS}
  SSLHonorCipherOrder off
  SSLSessionTickets off
`
}
