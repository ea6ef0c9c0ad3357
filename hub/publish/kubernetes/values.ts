import type { IIoK8sApiCoreV1ResourceRequirements as ResourceRequirements } from 'kubernetes-models/v1'
import type { Target } from '../../contract/publish.ts'

/** What people change from one cluster to another: the values of the chart, and what stands in their place in `k8s/`. */
export interface ClusterValues {
  domain: string
  image: { hub: string; web: string }
  /** Of hubs; more than one share a database. */
  replicas: { min: number; max: number }
  resources: { hub: ResourceRequirements; web: ResourceRequirements }
  /** An empty name of a class means the default of the cluster. */
  storage: { size: string; backupSize: string; className: string }
  ingress: { className: string; tlsSecret: string }
}

export function clusterValues(target: Target, version: string): ClusterValues {
  return {
    domain: target.domain,
    image: { hub: `mcp-hub-hub:${version}`, web: `mcp-hub-web:${version}` },
    replicas: { min: target.instances, max: target.instances * 4 },
    // No limit of CPU: it would hold back the event loop, and every client with it.
    resources: {
      hub: { requests: { cpu: '250m', memory: '512Mi' }, limits: { memory: '2Gi' } },
      web: { requests: { cpu: '50m', memory: '32Mi' }, limits: { memory: '256Mi' } },
    },
    storage: { size: '10Gi', backupSize: '10Gi', className: '' },
    ingress: { className: '', tlsSecret: 'mcp-hub-tls' },
  }
}

/** Hubs that share a database may be any number; one that keeps files must be the only one. */
export function isShared({ services }: Target): boolean {
  return services.includes('database')
}
