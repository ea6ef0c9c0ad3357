import type { IIoK8sApiAutoscalingV2MetricSpec as MetricSpec } from 'kubernetes-models/autoscaling/v2'
import type { IIoK8sApiCoreV1ResourceRequirements as ResourceRequirements } from 'kubernetes-models/v1'
import type { Target } from '../../contract/publish.ts'
import { pinned } from '../artifacts/base-images.ts'
import { storeImages } from '../artifacts/docker-stores.ts'
import type { BundleContext } from '../context.ts'

/** What people change from one cluster to another: the values of the chart, and what stands in their place in `k8s/`. */
export interface ClusterValues {
  domain: string
  /** `database`: with the programs that dump and restore a PostgreSQL of its version or an earlier one. */
  image: { hub: string; web: string; database: string }
  /** Of hubs; more than one share a database. How many there are is decided by what is measured: by processor, unless it is said otherwise. */
  replicas: { min: number; max: number; metrics: MetricSpec[] }
  resources: { hub: ResourceRequirements; web: ResourceRequirements }
  /** An empty name of a class means the default of the cluster. */
  storage: { size: string; backupSize: string; className: string }
  ingress: { className: string; tlsSecret: string }
}

const byProcessor: MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
}

/** Requests of a hub in a second, as an adapter with the rules that prometheus-adapter comes with makes it of `mcp_hub_requests_total`. */
const byRequests: MetricSpec = {
  type: 'Pods',
  pods: { metric: { name: 'mcp_hub_requests' }, target: { type: 'AverageValue', averageValue: '300' } },
}

/** With what not every cluster can tell: an autoscaler that cannot read one of its metrics goes by the others, but never down. */
export const alsoByRequests = (values: ClusterValues): ClusterValues => ({
  ...values,
  replicas: { ...values.replicas, metrics: [...values.replicas.metrics, byRequests] },
})

/** Images are named by the release: with the same name a cluster would go on with what it has. */
export function clusterValues({ target, release }: BundleContext): ClusterValues {
  return {
    domain: target.domain,
    image: {
      hub: `mcp-hub-hub:${release}`,
      web: `mcp-hub-web:${release}`,
      database: pinned(target, storeImages.database),
    },
    replicas: { min: target.instances, max: target.instances * 4, metrics: [byProcessor] },
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
