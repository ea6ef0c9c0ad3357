import { execFile } from 'node:child_process'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import * as apps from 'kubernetes-models/apps/v1'
import * as autoscaling from 'kubernetes-models/autoscaling/v2'
import * as batch from 'kubernetes-models/batch/v1'
import * as networking from 'kubernetes-models/networking.k8s.io/v1'
import * as policy from 'kubernetes-models/policy/v1'
import * as core from 'kubernetes-models/v1'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { targetSchema, type TargetInput } from '../../hub/contract/publish.ts'
import { createBundle, type Bundle } from '../../hub/publish/bundle.ts'
import { emptyDatabase } from '../../hub/publish/kubernetes/database.ts'
import { checkManifests } from '../../hub/publish/checks/kubernetes.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'
import { renderTemplate } from '../fixtures/helm-template.ts'
import { writeTools } from '../fixtures/tools.ts'

const run = promisify(execFile)
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(folder.path)
})
afterAll(() => folder.dispose())

interface Loose {
  apiVersion: string
  kind: string
  metadata: { name: string }
  // Read freely by the tests; what it is, the schema says.
  spec?: unknown
  data?: Record<string, string>
}

const shared = { instances: 2, services: ['database', 'redis'], logLevel: 'debug' } satisfies Partial<TargetInput>

function bundleFor(target: Partial<TargetInput> = {}): Promise<Bundle> {
  return createBundle({
    servers: {
      // Braces that must reach the hub as they are, also through a chart.
      local: {
        command: 'npx',
        args: ['-y', 'x', '{{ .Values.domain }}'],
        env: { GITHUB_TOKEN: 'a-github-token-value' },
      },
      remote: { url: 'https://mcp.example.com:8443/mcp' },
    },
    system: {},
    profiles: { work: { servers: { remote: {} } } },
    target: targetSchema.parse({ domain: 'hub.example.com', mode: 'kubernetes', ...target }),
    distDir: folder.path,
    version: '1.2.3',
  })
}

function text({ files }: Bundle, name: string): string {
  const found = files.find((file) => file.path === name)?.text
  if (typeof found !== 'string') throw new Error(`no ${name}`)
  return found
}

const objectsIn = (yaml: string): Loose[] =>
  parseAllDocuments(yaml, { version: '1.1' }).map((one) => one.toJS() as Loose)

function objects(bundle: Bundle, below = 'k8s/'): Loose[] {
  return bundle.files
    .filter(
      ({ path: name }) => name.startsWith(below) && name.endsWith('.yaml') && !name.endsWith('kustomization.yaml'),
    )
    .flatMap(({ text: yaml }) => objectsIn(yaml ?? ''))
}

function one(bundle: Bundle, kind: string, name: string): Loose {
  const found = objects(bundle).find((object) => object.kind === kind && object.metadata.name === name)
  if (found === undefined) throw new Error(`no ${kind} ${name}`)
  return found
}

/** What the validator knows, by apiVersion. */
const models: Readonly<Record<string, Record<string, unknown>>> = {
  v1: core,
  'apps/v1': apps,
  'batch/v1': batch,
  'autoscaling/v2': autoscaling,
  'networking.k8s.io/v1': networking,
  'policy/v1': policy,
}
const isOfKubernetes = ({ apiVersion }: Loose): boolean => !apiVersion.startsWith('gateway.')

describe.each([
  ['one hub with files', {}],
  ['hubs with a database', shared],
])('the manifests for %s', (_, target) => {
  it('follow the schema of their kind', async () => {
    const all = objects(await bundleFor(target)).filter(isOfKubernetes)
    expect(all.length).toBeGreaterThan(15)
    for (const object of all) {
      const Model = models[object.apiVersion]?.[object.kind] as new (data: object) => { validate: () => void }
      expect(() => new Model(object).validate(), `${object.kind} ${object.metadata.name}`).not.toThrow()
    }
  })

  it('are what the chart gives with its own values', async () => {
    const bundle = await bundleFor(target)
    const values = parse(text(bundle, 'helm/values.yaml'), { version: '1.1' }) as Record<string, unknown>
    const templates = bundle.files.filter(({ path: name }) => name.startsWith('helm/templates/'))
    expect(templates.length).toBe(10)
    for (const { path: name, text: template } of templates)
      expect(objectsIn(renderTemplate(template ?? '', values)), name).toEqual(
        objectsIn(text(bundle, name.replace('helm/templates/', 'k8s/'))),
      )
  })

  it('give every container the rights of none', async () => {
    for (const object of objects(await bundleFor(target))) {
      for (const pod of podsOf(object)) {
        expect(pod).toMatchObject({
          automountServiceAccountToken: false,
          securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        })
        for (const container of [...(pod.initContainers ?? []), ...pod.containers]) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          })
          expect(container.resources?.limits).toEqual({ memory: expect.any(String) as string })
          expect(container.envFrom).toBeUndefined()
        }
      }
    }
  })
})

type Pod = NonNullable<core.IPod['spec']>
function podsOf(value: unknown): Pod[] {
  if (typeof value !== 'object' || value === null) return []
  if ('containers' in value) return [value as Pod]
  return Object.values(value).flatMap(podsOf)
}

/** The compiler's word on the objects as literals: it knows every key, and refuses any other. */
async function strictErrors(all: Loose[]): Promise<string> {
  const literals = all.map(({ apiVersion, kind, ...rest }, index) => {
    const from = `kubernetes-models/${apiVersion}`
    return `export const d${index}: import('${from}').I${kind} = ${JSON.stringify({ apiVersion, kind, ...rest })}\n`
  })
  // Beside the repository's modules, where the types are found.
  const file = path.resolve(import.meta.dirname, `../../node_modules/.cache/manifests-${process.pid}-${all.length}.ts`)
  await mkdir(path.dirname(file), { recursive: true })
  await writeFile(file, literals.join(''))
  const tsc = path.resolve(import.meta.dirname, '../../node_modules/typescript/bin/tsc')
  const args = [
    '--noEmit',
    '--ignoreConfig',
    '--strict',
    '--skipLibCheck',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    file,
  ]
  const result = await run(process.execPath, [tsc, ...args]).catch((error: unknown) => error as { stdout: string })
  await rm(file)
  return result.stdout
}

describe('every manifest', () => {
  it('has only keys that Kubernetes knows, and a misspelt one is found', async () => {
    const bundles = [await bundleFor(), await bundleFor(shared)]
    const all = bundles.flatMap((bundle) => objects(bundle)).filter(isOfKubernetes)
    const misspelt = JSON.stringify(one(await bundleFor(), 'Deployment', 'mcp-hub')).replace(
      'periodSeconds',
      'periodSecond',
    )
    const errors = (await strictErrors([...all, JSON.parse(misspelt) as Loose]))
      .split('\n')
      .filter((line) => line.includes('error TS'))
    expect(errors).toEqual([expect.stringContaining('periodSecond')])
  }, 60_000)
})

describe('a cluster', () => {
  it('encrypts its backups where the target names keys, and the README restores them', async () => {
    const backupRecipients = ['age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p']
    const bundle = await bundleFor({ backupRecipients })
    const args = (of: Bundle): unknown => podsOf(one(of, 'CronJob', 'mcp-hub-backup'))[0]?.containers[0]?.args
    expect(args(bundle)).toEqual(['--out', '/backups', '--keep', '30', '--recipients', backupRecipients.join()])
    for (const name of ['README.md', 'README.zh-CN.md']) {
      expect(text(bundle, name)).toContain('["/backups/ARCHIVE","--identity","/run/secrets/backup_key"]')
      expect(text(bundle, name)).toContain(backupRecipients[0])
    }
    expect(args(await bundleFor())).toEqual(['--out', '/backups', '--keep', '30'])
  })

  it('has the database in its backups, by programs of PostgreSQL, and the README turns the same job round to restore', async () => {
    const imageDigests = [`postgres:17.6-bookworm@sha256:${'a'.repeat(64)}`]
    const bundle = await bundleFor({ ...shared, imageDigests })
    const [pod] = podsOf(one(bundle, 'CronJob', 'mcp-hub-backup'))
    expect(pod?.initContainers?.map(({ name }) => name)).toEqual(['initial-config', 'database'])
    expect(pod?.initContainers?.[1]).toMatchObject({ image: imageDigests[0], args: ['dump'] })
    expect(pod?.containers[0]?.args).toEqual([
      ...['--out', '/backups', '--keep', '30', '--dump', '/dump/database.dump'],
    ])
    const restore = await readFile(path.resolve(import.meta.dirname, '../../resources/publish/ops/restore.sh'), 'utf8')
    expect(restore).toContain(`<<'SQL'`)
    expect(restore).toContain(`\n${emptyDatabase}\nSQL\n`)
    for (const name of ['README.md', 'README.zh-CN.md']) {
      const [, patch = ''] = /-p '(.*)' \|/.exec(text(bundle, name)) ?? []
      expect(JSON.parse(patch)).toContainEqual({
        op: 'replace',
        path: '/spec/template/spec/containers/0/args',
        value: ['/backups/ARCHIVE', '--dump-to', '/dump/database.dump'],
      })
      expect(text(bundle, name)).toContain(' postgres:17.6-bookworm')
    }
    const alone = podsOf(one(await bundleFor(), 'CronJob', 'mcp-hub-backup'))[0]
    expect(alone?.initContainers?.map(({ name }) => name)).toEqual(['initial-config'])
    expect(text(await bundleFor(), 'helm/values.yaml')).not.toContain('postgres')
  })

  it('names its images by the release, so that another bundle of the same version brings new pods', async () => {
    const bundles = [await bundleFor(), await bundleFor(shared)]
    expect(new Set(bundles.map(({ release }) => release)).size).toBe(2)
    for (const bundle of bundles) {
      const { images } = parse(text(bundle, 'k8s/kustomization.yaml')) as { images: { newTag: string }[] }
      expect(images.map(({ newTag }) => newTag)).toEqual([bundle.release, bundle.release])
      for (const name of ['k8s/hub.yaml', 'k8s/web.yaml', 'helm/values.yaml', 'README.md', 'README.zh-CN.md']) {
        const tags = Array.from(text(bundle, name).matchAll(/mcp-hub-(?:hub|web|\$IMAGE):([^\s"]+)/g), ([, tag]) => tag)
        expect([...new Set(tags)], name).toEqual([bundle.release])
      }
    }
  })

  it('gives PostgreSQL its password by the environment, because arguments are seen by everybody on the machine', async () => {
    const [pod] = podsOf(one(await bundleFor(shared), 'CronJob', 'mcp-hub-backup'))
    const [, , script = ''] = pod?.initContainers?.[1]?.command ?? []
    const at = (name: string): string => path.join(folder.path, name)
    const bin = await writeTools(at('postgres-bin'), {
      pg_dump: `printf '%s\\n' "$PGPASSWORD" "$@" >'${at('asked')}'`,
      pg_restore: 'exit 0',
    })
    const there = script.replaceAll('/run/secrets/hub_env', at('hub_env')).replaceAll('/dump/', `${folder.path}/`)
    const asked = async (url: string): Promise<string[]> => {
      await writeFile(at('hub_env'), `DATABASE_URL=${url}\n`)
      await run('bash', ['-ec', there, 'database', 'dump'], { env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } })
      return (await readFile(at('asked'), 'utf8')).trimEnd().split('\n')
    }
    const [password, ...args] = await asked('postgresql://hub:p%40ss%5Cw%25@db:5433/mcp?sslmode=no-verify')
    expect([password, args.at(-1)]).toEqual(['p@ss\\w%', '--dbname=postgresql://hub@db:5433/mcp?sslmode=require'])
    expect(await asked('postgres://hub@db/mcp?application_name=a:b@c')).toEqual(
      expect.arrayContaining(['', '--dbname=postgres://hub@db/mcp?application_name=a:b@c']),
    )
  })

  it('says nothing that Kubernetes would read as a variable', async () => {
    for (const object of objects(await bundleFor(shared)))
      for (const pod of podsOf(object))
        for (const { command = [], args = [], env = [] } of [...(pod.initContainers ?? []), ...pod.containers])
          for (const said of [...command, ...args, ...env.map(({ value = '' }) => value)])
            expect(said).not.toMatch(/\$\$|\$\(\w+\)/)
  })

  it('runs one hub and no more where there is no database', async () => {
    const bundle = await bundleFor()
    expect(one(bundle, 'Deployment', 'mcp-hub').spec).toMatchObject({ replicas: 1, strategy: { type: 'Recreate' } })
    expect(objects(bundle).map(({ kind }) => kind)).not.toContain('HorizontalPodAutoscaler')
    expect(one(bundle, 'PersistentVolumeClaim', 'mcp-hub-state').spec).toMatchObject({ accessModes: ['ReadWriteOnce'] })
    expect(text(bundle, 'helm/values.yaml')).not.toContain('replicas')
  })

  it('leaves the number of hubs to the autoscaler where they share one, and loses none at an upgrade', async () => {
    const bundle = await bundleFor(shared)
    const hub = one(bundle, 'Deployment', 'mcp-hub')
    expect(hub.spec).not.toHaveProperty('replicas')
    expect(hub.spec).toMatchObject({ strategy: { rollingUpdate: { maxUnavailable: 0 } } })
    // A pod without a database does not become ready, so those of before stay.
    expect(podsOf(hub)[0]?.containers[0]?.env).toContainEqual({ name: 'MCP_HUB_SHARED', value: 'yes' })
    expect(one(bundle, 'HorizontalPodAutoscaler', 'mcp-hub').spec).toMatchObject({ minReplicas: 2, maxReplicas: 8 })
    expect(one(bundle, 'PersistentVolumeClaim', 'mcp-hub-state').spec).toMatchObject({ accessModes: ['ReadWriteMany'] })
  })

  it('goes by requests as well only where somebody says so', async () => {
    const bundle = await bundleFor(shared)
    const scaler = (name: string) =>
      objectsIn(text(bundle, name)).find(({ kind }) => kind === 'HorizontalPodAutoscaler')
    const kinds = (object?: Loose) => (object?.spec as { metrics: { type: string }[] }).metrics.map(({ type }) => type)
    const patch = scaler('k8s/optional/autoscaler-by-requests.yaml')
    expect([kinds(scaler('k8s/availability.yaml')), kinds(patch)]).toEqual([['Resource'], ['Resource', 'Pods']])
    expect(patch?.metadata.name).toBe(scaler('k8s/availability.yaml')?.metadata.name)
    expect(text(bundle, 'k8s/kustomization.yaml')).not.toContain('optional/')
    for (const name of ['README.md', 'README.zh-CN.md'])
      expect(text(bundle, name)).toContain('- path: optional/autoscaler-by-requests.yaml')
    const alone = await bundleFor()
    expect(alone.files.map(({ path: name }) => name)).not.toContain('k8s/optional/autoscaler-by-requests.yaml')
  })

  it('gives a hub that has no configuration yet all of the published one', async () => {
    const bundle = await bundleFor()
    const { data = {} } = one(bundle, 'ConfigMap', 'mcp-hub-config')
    expect(Object.keys(data)).toEqual(['servers.json', 'system.json', 'profiles.json'])
    expect(JSON.parse(data['profiles.json'] ?? '')).toMatchObject({ profiles: { work: { servers: { remote: {} } } } })
    const [init] = podsOf(one(bundle, 'Deployment', 'mcp-hub'))[0]?.initContainers ?? []
    for (const name of Object.keys(data)) expect(init?.command?.join(' ')).toContain(name)
  })

  it('is watched by its own means: pods by discovery, backups by their job', async () => {
    const bundle = await bundleFor(shared)
    expect(text(bundle, 'ops/prometheus.yml')).toContain('kubernetes_sd_configs:')
    for (const name of ['ops/alerts.yml', 'ops/alerts.test.yml', 'ops/grafana-dashboard.json']) {
      expect(text(bundle, name), name).toContain('kube_cronjob_status_last_successful_time')
      expect(text(bundle, name), name).not.toContain('mcp_hub_backup_timestamp_seconds')
    }
  })

  it('lets the hubs reach the ports of servers and services, and nothing reach the hubs but nginx and Prometheus', async () => {
    const policies = JSON.stringify(one(await bundleFor(shared), 'NetworkPolicy', 'mcp-hub').spec)
    for (const port of [53, 80, 443, 5432, 6379, 8443]) expect(policies).toContain(`"port":${port}}`)
    expect(policies).toContain('"except":["169.254.0.0/16"]')
    expect(JSON.stringify(one(await bundleFor(), 'NetworkPolicy', 'mcp-hub').spec)).not.toContain('5432')
  })

  it('is given no value of a secret, and only a form to fill in', async () => {
    const bundle = await bundleFor(shared)
    const secrets = objects(bundle).filter(({ kind }) => kind === 'Secret')
    expect(secrets).toMatchObject([{ stringData: { hub_env: expect.stringMatching(/^(?:[A-Z_]+=\n)+$/) as string } }])
    expect(text(bundle, 'k8s/kustomization.yaml')).not.toContain('optional/')
    for (const { path: name, text: content } of bundle.files)
      expect(content ?? '', name).not.toContain('a-github-token')
  })

  it('keeps text that looks like a boolean as text', async () => {
    const { metadata } = one(await bundleFor(), 'Ingress', 'mcp-hub') as Loose & { metadata: { annotations: object } }
    for (const value of Object.values(metadata.annotations)) expect(value).toBeTypeOf('string')
  })
})

describe('the check of the manifests', () => {
  it('accepts what is published', async () => {
    expect(checkManifests(await bundleFor())).toMatchObject({ outcome: 'passed' })
  })

  it.each([
    ['a file that is no YAML', 'k8s/hub.yaml', 'kind: Deployment', 'kind: "Deployment', 'k8s/hub.yaml'],
    ['an object without a kind', 'k8s/services.yaml', 'kind: Service', 'sort: Service', 'k8s/services.yaml'],
    ['a claim that is not there', 'k8s/storage.yaml', 'name: mcp-hub-state', 'name: other', 'k8s/'],
  ])('finds %s', async (_, name, before, after, artifact) => {
    const bundle = await bundleFor()
    const file = bundle.files.find((candidate) => candidate.path === name)
    if (typeof file?.text !== 'string') throw new Error(`no ${name}`)
    file.text = file.text.replace(before, after)
    expect(checkManifests(bundle)).toMatchObject({ outcome: 'failed', artifact })
  })
})

describe('the README for a cluster', () => {
  it('has the same commands in both languages, and no step of a machine', async () => {
    const bundle = await bundleFor(shared)
    const commands = (name: string): string[] =>
      [...text(bundle, name).matchAll(/```sh\n(.*?)```/gs)].map(([, block = '']) => block)
    expect(commands('README.zh-CN.md')).toEqual(commands('README.md'))
    const all = commands('README.md').join('\n')
    for (const needed of ['apply -k k8s', 'rollout status', 'rollout undo', '--from-file=hub_env='])
      expect(all).toContain(needed)
    for (const strange of ['ssh', 'rsync', 'systemctl', '--from-literal']) expect(all).not.toContain(strange)
    expect(text(bundle, 'README.md')).toContain('| `DATABASE_URL` |')
  })
})
