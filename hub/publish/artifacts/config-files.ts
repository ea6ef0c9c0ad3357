import type { SystemFile } from '../../contract/index.ts'
import { publicOrigin, type Artifact, type BundleContext } from '../context.ts'
import { CONTAINER_BACKUPS } from './docker.ts'

export const serversFile: Artifact = {
  path: 'config/servers.json',
  why: 'The servers as they are here, with a reference in the place of each secret.',
  render: ({ servers }) => json({ mcpServers: servers }),
}

export const systemFile: Artifact = {
  path: 'config/system.json',
  why: 'The settings as they are here, with what the target needs: its name, its proxy, and a token for every request.',
  render: (context) => json(systemForTarget(context)),
}

export const profilesFile: Artifact = {
  path: 'config/profiles.json',
  why: 'The profiles as they are here.',
  render: ({ profiles }) => json({ profiles }),
}

/** Port, host, log file and keys are the target's own; everything else a person set stays. */
export function systemForTarget({
  system,
  target,
  paths,
}: Pick<BundleContext, 'system' | 'target' | 'paths'>): SystemFile {
  const { port: _port, host: _host, ...server } = system.server ?? {}
  const { jwtSecret: _jwtSecret, jwtSecretPrevious: _previous, ...auth } = system.auth ?? {}
  const { file: _file, ...logging } = system.logging ?? {}
  const { $schema: _schema, ...rest } = system
  return {
    ...rest,
    server: {
      ...server,
      allowedHosts: [target.domain],
      publicUrl: publicOrigin(target),
      // nginx on the same machine, or in the neighbouring container.
      trustProxy: ['loopback', 'uniquelocal'],
      cors: { ...server.cors, origin: [publicOrigin(target)] },
    },
    auth: { ...auth, mcp: 'token' },
    // Those of ops/backup.sh are there, so that the hub sees how old they are. In a cluster a job has them, and the hub does not.
    ...(target.mode === 'kubernetes'
      ? {}
      : {
          backup: {
            ...system.backup,
            folder: target.mode === 'docker' ? CONTAINER_BACKUPS : paths.backups,
          },
        }),
    logging: { level: 'info', maxFiles: 10, maxSize: '10m', ...logging },
  }
}

export const packageFile: Artifact = {
  path: 'package.json',
  why: 'Makes node run the hub as an ES module, and names the version.',
  render: ({ version }) => json({ name: 'mcp-hub', version, private: true, type: 'module', engines: { node: '>=24' } }),
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
