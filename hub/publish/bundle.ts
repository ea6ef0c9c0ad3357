import { createHash } from 'node:crypto'
import type { Profile, ServerConfig, SystemFile } from '../contract/index.ts'
import type { BundleFile, Finding, Target } from '../contract/publish.ts'
import { alertRules } from './artifacts/alerts.ts'
import { alertTests } from './artifacts/alerts-test.ts'
import { packageFile, profilesFile, serversFile, systemFile } from './artifacts/config-files.ts'
import { compose, dockerfile, dockerIgnore, dockerNginx } from './artifacts/docker.ts'
import { envExample } from './artifacts/env-example.ts'
import { nginxComplete, nginxSite } from './artifacts/nginx.ts'
import { apacheSite } from './artifacts/apache.ts'
import { crontab } from './artifacts/crontab.ts'
import { firewall } from './artifacts/firewall.ts'
import { grafanaDashboard } from './artifacts/grafana.ts'
import { helmArtifacts } from './artifacts/helm.ts'
import { kubernetesArtifacts } from './artifacts/kubernetes.ts'
import { logrotate } from './artifacts/logrotate.ts'
import { ecosystem } from './artifacts/pm2.ts'
import { portabilityReport } from './artifacts/portability-report.ts'
import { prometheusConfig } from './artifacts/prometheus.ts'
import { readmeEn } from './artifacts/readme-en.ts'
import { readmeZh } from './artifacts/readme-zh.ts'
import { systemdService, systemdSocket, systemdTarget } from './artifacts/systemd.ts'
import { systemdTimers } from './artifacts/systemd-timers.ts'
import { TARGET_ENV, targetEnv } from './artifacts/target-env.ts'
import { listBuiltFiles, type BuiltFile } from './built-files.ts'
import { targetPaths, type Artifact, type BundleContext } from './context.ts'
import { externaliseSecrets, type Need } from './externalise.ts'
import { findPortabilityIssues } from './portability.ts'
import { externaliseSystem } from './externalise-system.ts'
import { hubVariables, serviceVariables } from './variables.ts'

export interface BundleInput {
  servers: Record<string, ServerConfig>
  system: SystemFile
  profiles?: Record<string, Profile>
  target: Target
  /** Folder with the built `hub` and `renderer`. */
  distDir: string
  version: string
}

export type BundleEntry = BuiltFile | (BundleFile & { text: string })

export interface Bundle {
  /** Version and hash of the content: the name of its folder on the target. */
  release: string
  files: BundleEntry[]
  findings: Finding[]
  secrets: Need[]
  context: BundleContext
  /** The values that were taken out; they never leave the process, and are here so that it can be checked. */
  liftedValues: string[]
}

export const MANIFEST = 'manifest.json'

/** Every generated file. What comes after it (checksums, READMEs, manifest) depends on the files before. */
const artifacts: readonly Artifact[] = [
  serversFile,
  systemFile,
  profilesFile,
  envExample,
  nginxSite,
  nginxComplete,
  apacheSite,
  ecosystem,
  systemdSocket,
  systemdService,
  systemdTarget,
  ...systemdTimers,
  logrotate,
  prometheusConfig,
  alertRules,
  alertTests,
  grafanaDashboard,
  firewall,
  crontab,
  dockerfile,
  dockerIgnore,
  dockerNginx,
  compose,
  ...kubernetesArtifacts,
  ...helmArtifacts,
  packageFile,
  portabilityReport,
]

/** The whole bundle in memory: the same input gives the same bytes, and no secret's value is in any of them. */
export async function createBundle({
  servers,
  system,
  profiles = {},
  target,
  distDir,
  version,
}: BundleInput): Promise<Bundle> {
  const lifted = externaliseSecrets(servers)
  const own = externaliseSystem(system)
  const variables = [
    ...hubVariables.map(({ name, why }) => ({ name, usedBy: why.en, generated: true })),
    ...target.services.map((service) => {
      const { name, why } = serviceVariables[service]
      return { name, usedBy: why.en, generated: false }
    }),
  ]
  const needs = [...lifted.needs, ...own.needs.filter(({ name }) => lifted.needs.every((need) => need.name !== name))]
  const unnamed: BundleContext = {
    target,
    version,
    // Some artifacts name the release, and its hash is that of what they are without its name.
    release: version,
    servers: lifted.servers,
    system: own.system,
    profiles,
    needs,
    // Looked at after the secrets are out, because a finding quotes what it is about.
    findings: [...findPortabilityIssues(lifted.servers, target), ...lifted.findings].sort(bySeverity),
    paths: targetPaths(target),
  }
  // Read where they are needed: the command line also runs from source, where nothing takes text files into a module.
  const { opsScripts } = await import('./artifacts/ops-scripts.ts')
  const others: BundleEntry[] = [
    ...(await listBuiltFiles(distDir)),
    ...opsScripts.map(({ name, text, why }) => ({ ...generated(`ops/${name}`, text, why), mode: 0o755 })),
  ]
  const hashed = [...renderAll(unnamed), ...others].map((file) => `${file.sha256} ${file.path}\n`)
  const release = `${version}-${sha256([...hashed, targetEnv(unnamed, '')].join('')).slice(0, 8)}`
  const context: BundleContext = { ...unnamed, release }
  const files: BundleEntry[] = [
    ...renderAll(context),
    ...others,
    generated(
      TARGET_ENV,
      targetEnv(context, release),
      'What differs from target to target, for the scripts beside it.',
    ),
    generated('README.md', readmeEn(context, release), 'The exact steps for this target.'),
    generated('README.zh-CN.md', readmeZh(context, release), 'The exact steps for this target, in Chinese.'),
  ]
  files.sort((a, b) => (a.path < b.path ? -1 : 1))
  const manifest = {
    generator: 'mcp-hub',
    schema: 1,
    version,
    release,
    target,
    files: Object.fromEntries(
      files.map((file) => [file.path, { sha256: file.sha256, bytes: file.bytes, mode: file.mode.toString(8) }]),
    ),
  }
  files.push(
    generated(
      MANIFEST,
      `${JSON.stringify(manifest, null, 2)}\n`,
      'What the bundle is made of, with the hash of each file.',
    ),
    generated(
      'SHA256SUMS',
      files.map((file) => `${file.sha256}  ${file.path}\n`).join(''),
      'The same hashes for sha256sum --check.',
    ),
  )
  return {
    release,
    files,
    findings: context.findings,
    secrets: [...variables, ...needs],
    context,
    liftedValues: [...lifted.values, ...own.values],
  }
}

function renderAll(context: BundleContext): BundleEntry[] {
  return artifacts
    .filter(({ when }) => when?.(context) !== false)
    .map((artifact) => generated(artifact.path, artifact.render(context), artifact.why))
}

function generated(path: string, text: string, why: string): BundleEntry {
  return { path, bytes: Buffer.byteLength(text), sha256: sha256(text), mode: 0o644, text, why }
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

const severities = ['error', 'warning', 'info']
function bySeverity(a: Finding, b: Finding): number {
  return severities.indexOf(a.severity) - severities.indexOf(b.severity)
}
