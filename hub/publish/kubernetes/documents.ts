import { stringify } from 'yaml'
import type { BundleContext } from '../context.ts'
import { autoscaler, disruptionBudgets } from './availability.ts'
import { claims, publishedConfig, serviceAccount, site, siteVersion } from './config.ts'
import { gateway, ingress, networkPolicies, services } from './network.ts'
import type { ClusterValues } from './values.ts'
import { alsoByRequests, isShared } from './values.ts'
import { backupJob, hubDeployment, webDeployment } from './workloads.ts'

/** A file of `k8s/`, and the template of the same name in the chart. */
export interface ManifestFile {
  name: string
  why: string
  documents: (context: BundleContext, values: ClusterValues) => object[]
}

/** What is applied, in this order. */
export const manifests: readonly ManifestFile[] = [
  {
    name: 'service-account.yaml',
    why: 'Who the pods are in the cluster: nobody, without a token.',
    documents: () => [serviceAccount()],
  },
  {
    name: 'config.yaml',
    why: 'The published configuration, and the site of nginx for a cluster, where TLS ends at the ingress.',
    documents: (context, values) => [publishedConfig(context, values), site(context, values)],
  },
  {
    name: 'storage.yaml',
    why: 'What outlives a pod: the state of the hub, and its backups.',
    documents: claims,
  },
  {
    name: 'hub.yaml',
    why: 'The hub: confined, its secrets a file, alive and ready told apart, drained before it ends.',
    documents: ({ target }, values) => [hubDeployment(target, values)],
  },
  {
    name: 'web.yaml',
    why: 'nginx with the web UI: keeps a client with the hub that has its session, however many there are.',
    documents: (context, values) => [webDeployment(values, siteVersion(context, values))],
  },
  {
    name: 'services.yaml',
    why: 'Names inside the cluster; nothing is reachable from outside by them.',
    documents: () => services(),
  },
  {
    name: 'ingress.yaml',
    why: 'The way in, with TLS. Where the cluster has a Gateway, optional/gateway.yaml is in its place.',
    documents: (_context, values) => [ingress(values)],
  },
  {
    name: 'availability.yaml',
    why: 'How many pods may be away at once and, for hubs with a database, how many there are under load.',
    documents: ({ target }, values) => [...disruptionBudgets(), ...(isShared(target) ? [autoscaler(values)] : [])],
  },
  {
    name: 'network-policies.yaml',
    why: 'Nothing goes in or out of the pods but what is named here.',
    documents: ({ target, servers }) => networkPolicies(target, servers),
  },
  {
    name: 'backup.yaml',
    why: 'A checked backup each night, the newest 30 kept.',
    documents: ({ target }, values) => [backupJob(target, values)],
  },
]

export const gatewayManifest: ManifestFile = {
  name: 'optional/gateway.yaml',
  why: 'The way in by the Gateway API, in the place of ingress.yaml.',
  documents: (_context, values) => gateway(values),
}

/** Only hubs that share a database may be many. */
export const autoscalerManifest: ManifestFile = {
  name: 'optional/autoscaler-by-requests.yaml',
  why: 'A patch of the autoscaler, for a cluster that can tell how many requests each hub has: README.md says how it is applied.',
  documents: (_context, values) => [autoscaler(alsoByRequests(values))],
}

/** As clusters read it: there `off` without quotes would be a boolean. Texts of several lines stay readable. */
export function printDocuments(documents: readonly object[]): string {
  return documents
    .map((document) =>
      stringify(document, { version: '1.1', lineWidth: 0, blockQuote: 'literal', aliasDuplicateObjects: false }),
    )
    .join('---\n')
}
