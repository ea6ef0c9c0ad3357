import type { Profile, ServerConfig, SystemFile } from '../contract/index.ts'
import type { ExportResult, Preview, Target } from '../contract/publish.ts'
import { archiveOf, type BundleArchive } from './archive.ts'
import { createBundle, type Bundle } from './bundle.ts'
import { checkBundle } from './checks/index.ts'
import { exportBundle } from './export.ts'

export interface PublisherOptions {
  loadServers: () => { mcpServers: Record<string, ServerConfig> }
  loadSystem: () => SystemFile
  loadProfiles?: () => Record<string, Profile>
  /** Folder with the built `hub` and `renderer`. */
  distDir: string
  version: string
}

export interface Publisher {
  build: (target: Target) => Promise<Bundle>
  preview: (target: Target) => Promise<Preview>
  exportTo: (target: Target, directory: string, overwrite: boolean) => Promise<ExportResult>
  archive: (target: Target) => Promise<BundleArchive>
}

/** From the live configuration to a deployment, always from what is in force at the moment of the call. */
export function createPublisher({
  loadServers,
  loadSystem,
  loadProfiles = () => ({}),
  distDir,
  version,
}: PublisherOptions): Publisher {
  const build = (target: Target): Promise<Bundle> =>
    createBundle({
      servers: loadServers().mcpServers,
      system: loadSystem(),
      profiles: loadProfiles(),
      target,
      distDir,
      version,
    })

  return {
    build,
    async preview(target) {
      const bundle = await build(target)
      return {
        files: bundle.files.map(({ path, bytes, sha256, mode, text, why }) => ({
          path,
          bytes,
          sha256,
          mode,
          text,
          why,
        })),
        findings: bundle.findings,
        secrets: bundle.secrets,
        checks: await checkBundle(bundle),
        totalBytes: bundle.files.reduce((sum, { bytes }) => sum + bytes, 0),
      }
    },
    async exportTo(target, directory, overwrite) {
      return exportBundle((await build(target)).files, directory, overwrite)
    },
    async archive(target) {
      return archiveOf(await build(target))
    },
  }
}
