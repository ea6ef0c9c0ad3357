import { stringify } from 'yaml'
import type { Artifact } from '../context.ts'
import { chartOf } from '../kubernetes/chart.ts'
import { manifests } from '../kubernetes/documents.ts'

const chartFile: Artifact = {
  path: 'helm/Chart.yaml',
  why: 'The same objects as k8s/ as a chart, for who installs with Helm.',
  render: ({ version }) =>
    stringify({
      apiVersion: 'v2',
      name: 'mcp-hub',
      description: 'MCP Hub: one endpoint for many MCP servers.',
      type: 'application',
      version,
      appVersion: version,
      kubeVersion: '>=1.30.0-0',
    }),
}

const valuesFile: Artifact = {
  path: 'helm/values.yaml',
  why: 'What may differ from cluster to cluster. With these values the chart gives what k8s/ holds.',
  render: (context) =>
    stringify(chartOf(context).values, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }),
}

export const helmArtifacts: readonly Artifact[] = [
  chartFile,
  valuesFile,
  ...manifests.map(({ name, why }): Artifact => ({
    path: `helm/templates/${name}`,
    why,
    render: (context) => chartOf(context).templates.find((template) => template.name === name)?.text ?? '',
  })),
]
