import type {
  IIngress,
  INetworkPolicy,
  IIoK8sApiNetworkingV1NetworkPolicyEgressRule as EgressRule,
} from 'kubernetes-models/networking.k8s.io/v1'
import type { IService } from 'kubernetes-models/v1'
import { isRemote, type ServerConfig } from '../../contract/index.ts'
import type { Target } from '../../contract/publish.ts'
import { HUB_PORT, labels, names, ours, WEB_PORT } from './names.ts'
import type { ClusterValues } from './values.ts'

export function services(): IService[] {
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: names.web, labels: labels('web') },
      spec: { type: 'ClusterIP', selector: labels('web'), ports: [{ name: 'http', port: 80, targetPort: WEB_PORT }] },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: names.hubs, labels: labels('hub') },
      // No address of its own: nginx asks for those of the pods, and keeps a client with one of them.
      spec: { clusterIP: 'None', selector: labels('hub'), ports: [{ name: 'http', port: HUB_PORT }] },
    },
  ]
}

/** Nothing is held back and nothing is cut, whichever controller reads which of these. */
const streaming = {
  'nginx.ingress.kubernetes.io/proxy-buffering': 'off',
  'nginx.ingress.kubernetes.io/proxy-request-buffering': 'off',
  'nginx.ingress.kubernetes.io/proxy-read-timeout': '3600',
  'nginx.ingress.kubernetes.io/proxy-send-timeout': '3600',
  'nginx.ingress.kubernetes.io/proxy-body-size': '0',
  'haproxy.org/timeout-server': '1h',
}

export function ingress({ domain, ingress: { className, tlsSecret } }: ClusterValues): IIngress {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: names.hub, labels: labels('web'), annotations: streaming },
    spec: {
      ...(className === '' ? {} : { ingressClassName: className }),
      tls: [{ hosts: [domain], secretName: tlsSecret }],
      rules: [
        {
          host: domain,
          http: {
            paths: [
              { path: '/', pathType: 'Prefix', backend: { service: { name: names.web, port: { name: 'http' } } } },
            ],
          },
        },
      ],
    },
  }
}

/** For clusters with the Gateway API in the place of an ingress; its types are not part of Kubernetes itself. */
export function gateway({ domain, ingress: { tlsSecret } }: ClusterValues): object[] {
  return [
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      metadata: { name: names.hub, labels: labels('web') },
      spec: {
        gatewayClassName: 'CHANGE-ME',
        listeners: [
          {
            name: 'https',
            protocol: 'HTTPS',
            port: 443,
            hostname: domain,
            tls: { mode: 'Terminate', certificateRefs: [{ name: tlsSecret }] },
            allowedRoutes: { namespaces: { from: 'Same' } },
          },
        ],
      },
    },
    {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'HTTPRoute',
      metadata: { name: names.hub, labels: labels('web') },
      spec: {
        parentRefs: [{ name: names.hub }],
        hostnames: [domain],
        rules: [
          {
            matches: [{ path: { type: 'PathPrefix', value: '/' } }],
            // 0s: no limit. A stream that is cut cancels the call that it carries.
            timeouts: { request: '0s', backendRequest: '0s' },
            backendRefs: [{ name: names.web, port: 80 }],
          },
        ],
      },
    },
  ]
}

const PORTS_OF_SERVICES: Readonly<Record<Target['services'][number], number>> = {
  database: 5432,
  redis: 6379,
  traces: 4318,
  sentry: 443,
}

const dns: EgressRule = {
  ports: [
    { protocol: 'UDP', port: 53 },
    { protocol: 'TCP', port: 53 },
  ],
}

/** Ports that the hubs must reach: the web, those in the URLs of servers, and those of the target's services. */
function outgoingPorts(target: Target, servers: Record<string, ServerConfig>): number[] {
  const ofServers = Object.values(servers).flatMap((server) => {
    const url = isRemote(server) ? URL.parse(server.url) : null
    return url === null || url.port === '' ? [] : [Number(url.port)]
  })
  const ofServices = target.services.map((service) => PORTS_OF_SERVICES[service])
  return [...new Set([80, 443, ...ofServers, ...ofServices])].sort((a, b) => a - b)
}

/** Only what is named here goes in or out of the pods. */
export function networkPolicies(target: Target, servers: Record<string, ServerConfig>): INetworkPolicy[] {
  const policy = (name: string, spec: NonNullable<INetworkPolicy['spec']>): INetworkPolicy => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name },
    spec,
  })
  const tcp = (port: number): { protocol: 'TCP'; port: number } => ({ protocol: 'TCP', port })
  const outside: EgressRule = {
    // Everything but where clouds hand out the rights of a machine.
    to: [
      { ipBlock: { cidr: '0.0.0.0/0', except: ['169.254.0.0/16'] } },
      { ipBlock: { cidr: '::/0', except: ['fe80::/10', 'fd00:ec2::254/128'] } },
    ],
    ports: outgoingPorts(target, servers).map(tcp),
  }
  return [
    policy('mcp-hub-default-deny', { podSelector: { matchLabels: ours }, policyTypes: ['Ingress', 'Egress'] }),
    policy(names.web, {
      podSelector: { matchLabels: labels('web') },
      policyTypes: ['Ingress', 'Egress'],
      // From everywhere: an ingress controller may run on the network of its machine.
      ingress: [{ ports: [tcp(WEB_PORT)] }],
      egress: [dns, { to: [{ podSelector: { matchLabels: labels('hub') } }], ports: [tcp(HUB_PORT)] }],
    }),
    policy(names.hub, {
      podSelector: { matchLabels: labels('hub') },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [
        {
          from: [
            { podSelector: { matchLabels: labels('web') } },
            // Prometheus: kubectl label namespace NAME mcp-hub/metrics=true
            { namespaceSelector: { matchLabels: { 'mcp-hub/metrics': 'true' } } },
          ],
          ports: [tcp(HUB_PORT)],
        },
      ],
      egress: [dns, outside],
    }),
    policy(names.backup, {
      podSelector: { matchLabels: labels('backup') },
      policyTypes: ['Ingress', 'Egress'],
      egress: target.services.includes('database')
        ? [dns, { ...outside, ports: [tcp(PORTS_OF_SERVICES.database)] }]
        : [],
    }),
  ]
}
