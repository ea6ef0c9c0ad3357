import type { BundleContext } from '../context.ts'
import { manifests, printDocuments } from './documents.ts'
import { clusterValues, isShared, type ClusterValues } from './values.ts'

/**
 * The chart is made of the same objects as `k8s/`. Where a value belongs, the object has a mark; once it is printed, the mark
 * is replaced by what Helm understands. Marks have brackets that no configuration has by accident.
 */
const mark = (kind: 'text' | 'number' | 'block' | 'optional', value: string): string => `⟦${kind} ${value}⟧`

/** Values that are a mark each. A number or an object is one as well, until it is printed. */
function marks(): ClusterValues {
  const asNumber = (value: string): number => mark('number', value) as unknown as number
  const asBlock = (value: string): object => mark('block', value) as unknown as object
  return {
    domain: mark('text', 'domain'),
    image: {
      hub: mark('text', 'image.hub'),
      web: mark('text', 'image.web'),
      database: mark('text', 'image.database'),
    },
    replicas: {
      min: asNumber('replicas.min'),
      max: asNumber('replicas.max'),
      metrics: asBlock('replicas.metrics') as [],
    },
    resources: { hub: asBlock('resources.hub'), web: asBlock('resources.web') },
    storage: {
      size: mark('text', 'storage.size'),
      backupSize: mark('text', 'storage.backupSize'),
      className: mark('optional', 'storage.className'),
    },
    ingress: { className: mark('optional', 'ingress.className'), tlsSecret: mark('text', 'ingress.tlsSecret') },
  }
}

/** Files of which a switch in the values can leave out all. */
const switches: Readonly<Record<string, string>> = {
  'ingress.yaml': 'ingress.enabled',
  'network-policies.yaml': 'networkPolicies.enabled',
  'backup.yaml': 'backup.enabled',
}

export interface Chart {
  values: Record<string, unknown>
  templates: { name: string; why: string; text: string }[]
}

export function chartOf(context: BundleContext): Chart {
  const { replicas, ingress, image, ...values } = clusterValues(context)
  const { database, ...ours } = image
  return {
    values: {
      image: isShared(context.target) ? { ...ours, database } : ours,
      ...values,
      // One hub that keeps files must stay the only one: how many there are is no value of its chart.
      ...(isShared(context.target) ? { replicas } : {}),
      ingress: { enabled: true, ...ingress },
      networkPolicies: { enabled: true },
      backup: { enabled: true },
    },
    templates: manifests.map(({ name, why, documents }) => {
      const text = template(printDocuments(documents(context, marks())))
      const only = switches[name]
      return { name, why, text: only === undefined ? text : `{{- if .Values.${only} }}\n${text}{{- end }}\n` }
    }),
  }
}

/** From printed YAML with marks to a template. Braces of the configuration itself are for Helm to print, not to read. */
function template(printed: string): string {
  return printed
    .replace(/\{\{/g, '{{ "{{" }}')
    .replace(
      /^( *)(.*): ⟦optional (.+?)⟧$/gm,
      (_, indent: string, key: string, value: string) =>
        `${indent}{{- if .Values.${value} }}\n${indent}${key}: {{ .Values.${value} }}\n${indent}{{- end }}`,
    )
    .replace(
      /^( *)(.*): ⟦block (.+?)⟧$/gm,
      (_, indent: string, key: string, value: string) =>
        `${indent}${key}:\n${indent}  {{- toYaml .Values.${value} | nindent ${indent.length + 2} }}`,
    )
    .replace(/⟦(?:text|number) (.+?)⟧/g, '{{ .Values.$1 }}')
}
