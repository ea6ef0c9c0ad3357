import { createHash } from 'node:crypto'
import type { IConfigMap, IPersistentVolumeClaim, ISecret, IServiceAccount, INamespace } from 'kubernetes-models/v1'
import { systemForTarget } from '../artifacts/config-files.ts'
import { renderComplete, renderSite } from '../artifacts/nginx.ts'
import type { BundleContext } from '../context.ts'
import { hubVariables, serviceVariables } from '../variables.ts'
import { labels, names, WEB_PORT } from './names.ts'
import { isShared, type ClusterValues } from './values.ts'

export function namespace(): INamespace {
  const level = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' }
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: names.namespace, labels: level } }
}

export function serviceAccount(): IServiceAccount {
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: names.account },
    automountServiceAccountToken: false,
  }
}

/** The context as it is for a cluster: its domain may be a placeholder of the chart. */
function inCluster(context: BundleContext, { domain }: ClusterValues): BundleContext {
  return { ...context, target: { ...context.target, domain, httpsPort: 443 } }
}

export function publishedConfig(context: BundleContext, values: ClusterValues): IConfigMap {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: names.published, labels: labels('hub') },
    data: {
      'servers.json': json({ mcpServers: context.servers }),
      'system.json': json(systemForTarget(inCluster(context, values))),
      'profiles.json': json({ profiles: context.profiles }),
    },
  }
}

/** nginx in the cluster: TLS ends at the ingress, everything else is as on a machine. */
export function renderClusterSite(context: BundleContext, values: ClusterValues): string {
  const site = renderSite(inCluster(context, values), {
    upstreams: [],
    listen: '',
    ipv6: false,
    httpPort: WEB_PORT,
    httpsPort: 443,
    webDir: '/usr/share/mcp-hub/web',
    acmeDir: '',
    certificate: '',
    key: '',
    accessLog: '/dev/stdout',
    // Prometheus asks the hubs themselves.
    insiders: [],
    modern: true,
    resolver: null,
    cluster: {
      hubs: '/tmp/hubs.conf',
      proxies: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', 'fc00::/7', '127.0.0.1'],
    },
  })
  return renderComplete(site, '/dev/stderr')
}

export function site(context: BundleContext, values: ClusterValues): IConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: names.site, labels: labels('web') },
    data: { 'nginx.conf': renderClusterSite(context, values) },
  }
}

/** Changes whenever the site does; the domain stands beside the hash because a chart fills it in later. */
export function siteVersion(context: BundleContext, values: ClusterValues): string {
  const text = renderClusterSite(context, { ...values, domain: 'DOMAIN' })
  return `${createHash('sha256').update(text).digest('hex').slice(0, 12)}-${values.domain}`
}

/** Only a form: its values are never written into a manifest. */
export function secretForm({ target, needs }: BundleContext): ISecret {
  const all = [
    ...hubVariables.map(({ name }) => name),
    ...target.services.map((service) => serviceVariables[service].name),
    ...needs.map(({ name }) => name),
  ]
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: names.environment, labels: labels('hub') },
    type: 'Opaque',
    stringData: { [names.environmentKey]: all.map((name) => `${name}=\n`).join('') },
  }
}

export function claims(context: BundleContext, { storage }: ClusterValues): IPersistentVolumeClaim[] {
  const claim = (name: string, size: string, mode: 'ReadWriteOnce' | 'ReadWriteMany'): IPersistentVolumeClaim => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: {
      accessModes: [mode],
      ...(storage.className === '' ? {} : { storageClassName: storage.className }),
      resources: { requests: { storage: size } },
    },
  })
  return [
    // Several hubs on several machines see the same accounts and secrets.
    claim(names.state, storage.size, isShared(context.target) ? 'ReadWriteMany' : 'ReadWriteOnce'),
    claim(names.backups, storage.backupSize, 'ReadWriteOnce'),
  ]
}
