import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { profilesFileSchema, serversFileSchema, systemFileSchema } from '../../contract/index.ts'
import type { Check } from '../../contract/publish.ts'
import type { Bundle } from '../bundle.ts'
import { checkApache } from './apache.ts'
import { checkCompose } from './compose.ts'
import { checkDockerfile } from './dockerfile.ts'
import { checkEnvironment } from './environment.ts'
import { checkFirewall } from './firewall.ts'
import { checkJson } from './json.ts'
import { checkLogrotate } from './logrotate.ts'
import { checkChart, checkKustomization, checkManifests } from './kubernetes.ts'
import { checkMonitoring } from './monitoring.ts'
import { checkNginx, siteInConfigMap } from './nginx.ts'
import type { Checker } from './outcome.ts'
import { checkEcosystem } from './pm2.ts'
import { checkSecrets } from './secrets.ts'
import { checkScripts } from './shellcheck.ts'
import { checkSystemd } from './systemd.ts'

/** Each check of an artifact; a new one is one line here. */
const checkers: readonly Checker[] = [
  checkJson('config/servers.json', serversFileSchema),
  checkJson('config/system.json', systemFileSchema),
  checkJson('config/profiles.json', profilesFileSchema),
  checkEnvironment,
  checkEcosystem,
  checkSystemd,
  checkNginx('nginx/mcp-hub.conf', { before: 'events {} pid check.pid; http {\n', after: '}\n' }),
  checkNginx('nginx/nginx.conf'),
  checkNginx('docker/nginx.conf'),
  checkApache,
  checkDockerfile,
  checkCompose,
  checkManifests,
  checkKustomization,
  checkNginx('k8s/config.yaml', { before: '', after: '' }, siteInConfigMap),
  checkChart,
  checkLogrotate,
  checkMonitoring,
  checkFirewall,
  checkScripts,
  checkSecrets,
]

/** Checks every artifact with the real tool where it is installed here. `passed` is only said of what really ran. */
export async function checkBundle(bundle: Bundle): Promise<Check[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-check-'))
  try {
    return await Promise.all(
      checkers.map(async (check, index) => {
        const own = path.join(folder, String(index))
        await mkdir(own)
        return check(bundle, own)
      }),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
