import type { Profile, ServerConfig, SystemFile } from '../contract/index.ts'
import type { Finding, Target } from '../contract/publish.ts'
import type { Need } from './externalise.ts'

/** All that an artifact may depend on; nothing here changes from one run to the next with the same input. */
export interface BundleContext {
  target: Target
  version: string
  /** The name of the bundle: version and hash of its content. */
  release: string
  /** Without secrets. */
  servers: Record<string, ServerConfig>
  system: SystemFile
  profiles: Record<string, Profile>
  needs: Need[]
  findings: Finding[]
  paths: TargetPaths
}

/** One generated file of the bundle; a new one is one file in `artifacts/` and one line in the table of `bundle.ts`. */
export interface Artifact {
  path: string
  why: string
  /** Whether the bundle has it; always, when absent. */
  when?: (context: BundleContext) => boolean
  render(context: BundleContext): string
}

/**
 * Where things are on the target. Only `config`, `data`, `logs` and `backups` belong to the hub's user: whatever root's nginx reads
 * (releases, certificate, ACME folder) must not be writable by it.
 */
export interface TargetPaths {
  root: string
  /** A link to the release in use. */
  current: string
  environment: string
  config: string
  data: string
  logs: string
  backups: string
  acme: string
  certificate: string
  key: string
}

export function targetPaths(target: Target): TargetPaths {
  const root = target.installDir.replace(/\/+$/, '')
  return {
    root,
    current: `${root}/current`,
    environment: `${root}/.env`,
    config: `${root}/config`,
    data: `${root}/data`,
    logs: `${root}/logs`,
    backups: `${root}/backups`,
    acme: `${root}/acme`,
    certificate: target.tls.certificate ?? `${root}/tls/fullchain.pem`,
    key: target.tls.key ?? `${root}/tls/privkey.pem`,
  }
}

/** Where people reach it, with the port when it is not the usual one. */
export function publicOrigin(target: Target): string {
  return `https://${target.domain}${target.httpsPort === 443 ? '' : `:${target.httpsPort}`}`
}

/** Port of each hub, first to last. */
export function hubPorts(target: Target): number[] {
  return Array.from({ length: target.instances }, (_, index) => target.basePort + index)
}

export const OLDEST_NGINX = '1.22'

/** The oldest nginx that understands the target's sites; those for 1.22 and 1.24 are the same. */
export function nginxNeeded({ nginxVersion }: Target): string {
  return nginxVersion === '1.24' ? OLDEST_NGINX : nginxVersion
}
