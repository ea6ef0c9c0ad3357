import type { IHorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2'
import type { IPodDisruptionBudget } from 'kubernetes-models/policy/v1'
import { labels, names } from './names.ts'
import type { ClusterValues } from './values.ts'

/** A machine that is emptied takes one pod of each at a time. */
export function disruptionBudgets(): IPodDisruptionBudget[] {
  return (['hub', 'web'] as const).map((component) => ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: names[component], labels: labels(component) },
    spec: { maxUnavailable: 1, selector: { matchLabels: labels(component) } },
  }))
}

/** Only for hubs that share a database. Down slowly: each hub that goes costs what servers keep for a session. */
export function autoscaler({ replicas }: ClusterValues): IHorizontalPodAutoscaler {
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: names.hub, labels: labels('hub') },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: names.hub },
      minReplicas: replicas.min,
      maxReplicas: replicas.max,
      metrics: replicas.metrics,
      behavior: {
        scaleDown: {
          stabilizationWindowSeconds: 300,
          policies: [{ type: 'Pods', value: 1, periodSeconds: 60 }],
        },
      },
    },
  }
}
