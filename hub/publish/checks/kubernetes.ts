import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { LineCounter, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool } from '../run-tool.ts'
import { failed, notChecked, passed, textOf, TOOL_TIMEOUT_MS } from './outcome.ts'

const KUSTOMIZATION = 'k8s/kustomization.yaml'
const REPORT = say`Report this as a fault of MCP Hub.`

const objectSchema = z.looseObject({
  apiVersion: z.string().min(1),
  kind: z.string().min(1),
  metadata: z.looseObject({ name: z.string().regex(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/) }),
})
type KubernetesObject = z.infer<typeof objectSchema>

/** Kinds that pods name, by the key that holds the name. */
const references: Readonly<Record<string, string>> = {
  claimName: 'PersistentVolumeClaim',
  serviceAccountName: 'ServiceAccount',
  configMap: 'ConfigMap',
}

function manifestPaths({ files }: Bundle): string[] {
  return files
    .map((file) => file.path)
    .filter((name) => name.startsWith('k8s/') && name.endsWith('.yaml') && name !== KUSTOMIZATION)
}

/** By a library: that each document is an object of a cluster, and that what objects name of each other is there. */
export function checkManifests(bundle: Bundle): Check {
  const tool = 'yaml'
  const objects: KubernetesObject[] = []
  for (const artifact of manifestPaths(bundle)) {
    const lines = new LineCounter()
    const documents = parseAllDocuments(textOf(bundle, artifact), { lineCounter: lines, version: '1.1' })
    if ('empty' in documents) return failed(artifact, tool, say`It holds no object.`, { cure: REPORT })
    for (const document of documents) {
      const at = lines.linePos((document.errors[0]?.pos ?? document.range)[0])
      const line = { line: at.line, column: at.col, cure: REPORT }
      const [error] = document.errors
      if (error !== undefined) return failed(artifact, tool, error.message, line)
      const parsed = objectSchema.safeParse(document.toJS())
      if (!parsed.success) {
        const [issue] = parsed.error.issues
        return failed(artifact, tool, `${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`, line)
      }
      objects.push(parsed.data)
    }
  }
  const known = new Set(objects.map(({ kind, metadata }) => `${kind}/${metadata.name}`))
  const missing = objects.flatMap((object) => namedBy(object)).find((reference) => !known.has(reference))
  if (missing !== undefined)
    return failed('k8s/', tool, say`${missing} is named, but not part of the bundle.`, { cure: REPORT })
  return passed(
    'k8s/',
    tool,
    say`${objects.length} objects have what every object needs, and name only what is there. A cluster checks the rest: kubectl apply -k k8s --dry-run=server.`,
  )
}

function namedBy(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]: [string, unknown]) => {
    const kind = references[key]
    const name: unknown =
      typeof inner === 'object' && inner !== null && key === 'configMap' && 'name' in inner ? inner.name : inner
    return kind !== undefined && typeof name === 'string' ? [`${kind}/${name}`] : namedBy(inner)
  })
}

/** As `kubectl apply -k` puts it together; needs no cluster. */
export async function checkKustomization(bundle: Bundle, folder: string): Promise<Check> {
  const kubectl = await findTool('kubectl')
  if (kubectl === null) return notChecked(KUSTOMIZATION, 'kubectl kustomize', say`kubectl is not installed here.`)
  await mkdir(path.join(folder, 'k8s', 'optional'), { recursive: true })
  for (const name of [KUSTOMIZATION, ...manifestPaths(bundle)])
    await writeFile(path.join(folder, ...name.split('/')), textOf(bundle, name))
  const result = await runTool(kubectl, ['kustomize', 'k8s'], { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
  if (result.code !== 0)
    return failed(KUSTOMIZATION, 'kubectl kustomize', result.output || say`kubectl kustomize did not end in time.`, {
      cure: REPORT,
    })
  return passed(
    KUSTOMIZATION,
    'kubectl kustomize',
    say`It puts ${parseAllDocuments(result.output).length} objects together. No cluster was asked.`,
  )
}

export async function checkChart(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'helm/'
  const helm = await findTool('helm')
  if (helm === null)
    return notChecked(artifact, 'helm', say`Helm is not installed here. The chart is made of the same objects as k8s/.`)
  for (const { path: name, text } of bundle.files) {
    if (!name.startsWith(artifact) || text === null) continue
    const file = path.join(folder, ...name.split('/'))
    await mkdir(path.dirname(file), { recursive: true })
    await writeFile(file, text)
  }
  const result = await runTool(helm, ['template', 'mcp-hub', 'helm'], { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
  if (result.code === 0) return passed(artifact, 'helm', say`helm template renders it with its own values.`)
  return failed(artifact, 'helm', result.output || say`helm template did not end in time.`, { cure: REPORT })
}
