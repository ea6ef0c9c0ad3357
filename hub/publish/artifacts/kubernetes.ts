import { stringify } from 'yaml'
import type { Artifact } from '../context.ts'
import { namespace, secretForm } from '../kubernetes/config.ts'
import {
  autoscalerManifest,
  gatewayManifest,
  manifests,
  printDocuments,
  type ManifestFile,
} from '../kubernetes/documents.ts'
import { names } from '../kubernetes/names.ts'
import { clusterValues, isShared } from '../kubernetes/values.ts'

const kustomization: Artifact = {
  path: 'k8s/kustomization.yaml',
  why: 'Everything together: kubectl apply -k k8s. Here is named which images from which registry are meant.',
  render: ({ release }) =>
    stringify(
      {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        namespace: names.namespace,
        resources: ['namespace.yaml', ...manifests.map(({ name }) => name)],
        // `digest: sha256:…` in the place of newTag pins the content itself.
        images: ['hub', 'web'].map((image) => ({
          name: `mcp-hub-${image}`,
          newName: `mcp-hub-${image}`,
          newTag: release,
        })),
      },
      { version: '1.1', lineWidth: 0 },
    ),
}

const namespaceManifest: Artifact = {
  path: 'k8s/namespace.yaml',
  why: 'A namespace in which no pod may have more rights than these need (Pod Security: restricted).',
  render: () => printDocuments([namespace()]),
}

const secretManifest: Artifact = {
  path: 'k8s/optional/secret.example.yaml',
  why: 'Names what the secret must hold, for who makes it with an operator. It has no value, and is not applied.',
  render: (context) =>
    `# Usually made from the file: kubectl -n ${names.namespace} create secret generic ${names.environment} --from-file=${names.environmentKey}=./mcp-hub.env
${printDocuments([secretForm(context)])}`,
}

const artifactOf = ({ name, why, documents }: ManifestFile): Artifact => ({
  path: `k8s/${name}`,
  why,
  render: (context) => printDocuments(documents(context, clusterValues(context))),
})

export const kubernetesArtifacts: readonly Artifact[] = [
  kustomization,
  namespaceManifest,
  secretManifest,
  ...[...manifests, gatewayManifest].map(artifactOf),
  { ...artifactOf(autoscalerManifest), when: ({ target }) => isShared(target) },
]
