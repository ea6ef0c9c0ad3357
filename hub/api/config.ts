import type { Request } from 'express'
import { changesBetween } from '../config/changes.ts'
import type { ConfigStore } from '../config/store.ts'
import type { ConfigVersions, StoredVersion } from '../config/versions.ts'
import { restoreVersionSchema, type ConfigVersionDetail } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import type { ProgramsConsent } from './exec-check.ts'
import { bodyOf, verbatim, type On } from './routes.ts'

/** `/api/config`: the configuration as a whole, and what it was. */
export function configRoutes(
  on: On,
  options: {
    config: ConfigStore
    versions: ConfigVersions
    programs: ProgramsConsent
    /** Brings what was written into force, and tells everybody. */
  },
): void {
  const { config, versions } = options

  async function versionOf(request: Request): Promise<StoredVersion> {
    const id = String(request.params['id'])
    const version = /^\d{1,9}$/.test(id) ? await versions.get(Number(id)) : null
    if (version === null)
      throw new HubError('HUB_VERSION_NOT_FOUND', say`There is no version ${id} of the configuration`)
    return version
  }

  on('GET /api/config/versions', async (_request, response) => {
    response.json({ versions: await versions.list() })
  })

  on('GET /api/config/versions/:id', async (request, response) => {
    const version = await versionOf(request)
    const current = config.texts
    const detail: ConfigVersionDetail = { ...version, current, differences: changesBetween(current, version.files) }
    verbatim(response).json(detail)
  })

  on('POST /api/config/versions/:id/restore', async (request, response) => {
    const version = await versionOf(request)
    const { reason } = bodyOf(request, restoreVersionSchema)
    await options.programs.replace(request, version.files, reason ?? say`Back to version ${version.id}`)
    response.json({ versions: await versions.list() })
  })
}
