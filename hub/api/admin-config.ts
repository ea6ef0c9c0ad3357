import type { Request } from 'express'
import type { Keys } from '../auth/keys.ts'
import { entityTag } from '../config/entity-tag.ts'
import type { Sources } from '../config/interpolate.ts'
import { planPush, type PushPlan } from '../config/push/plan.ts'
import { nested, portableOf } from '../config/push/portable.ts'
import type { Pushes } from '../config/push/pushes.ts'
import type { ConfigStore } from '../config/store.ts'
import type { ConfigVersions } from '../config/versions.ts'
import {
  enrolDeployKeySchema,
  pushConfigSchema,
  pushQuerySchema,
  type ConfigVersion,
  type PortableConfig,
  type PushResult,
} from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import type { Redactor } from '../observe/redactor.ts'
import { saidOf, say } from '../say.ts'
import type { ProgramsConsent } from './exec-check.ts'
import { bodyOf, callerOf, queryOf, type On } from './routes.ts'

/** `/api/admin`: another computer reads the configuration and pushes one, by a key that may nothing else. */
export function adminConfigRoutes(
  on: On,
  options: {
    config: ConfigStore
    versions: ConfigVersions
    programs: ProgramsConsent
    openPushes: () => Promise<Pushes>
    references: Sources
    redactor: Pick<Redactor, 'value'>
    keys: Keys
  },
): void {
  const { config, versions, programs, keys } = options
  const redact = <T>(value: T): T => options.redactor.value(value)

  const newest = async (): Promise<ConfigVersion | null> => (await versions.list())[0] ?? null

  on('GET /api/admin/config', async (_request, response) => {
    const etag = entityTag(config.texts)
    const { servers, profiles, system } = portableOf(config.texts, redact)
    const version = await newest()
    const answer: PortableConfig = {
      etag,
      version: version && { id: version.id, at: version.at, by: version.by, reason: version.reason },
      servers: { mcpServers: servers },
      profiles: { profiles },
      system: nested(system),
    }
    response.set('etag', etag).json(answer)
  })

  on('PUT /api/admin/config', async (request, response) => {
    const pushed = bodyOf(request, pushConfigSchema)
    const isDry = queryOf(request, pushQuerySchema).dryRun === '1'
    const ifMatch = isDry ? null : await matching(request)
    const { texts, differences, kept, missing } = planPush(config.texts, pushed, {
      sources: options.references,
      redact,
    })
    const refusal = refusalOf(request, texts)
    if (ifMatch === null || differences.length === 0) {
      const answer: PushResult = {
        ...{ dryRun: isDry, etag: entityTag(config.texts), differences, kept, missing },
        refusal: refusal && {
          ...{ code: refusal.code, message: refusal.message, cure: refusal.cure ?? null },
          ...saidOf(refusal),
        },
        push: null,
      }
      response.json(answer)
      return
    }
    if (refusal !== null) throw refusal
    const pushes = await options.openPushes()
    const { name: by } = callerOf(request)
    const push = await pushes.push(texts, { by, reason: pushed.reason ?? null, ifMatch })
    const etag = entityTag(texts)
    const answer: PushResult = { dryRun: false, etag, differences, kept, missing, refusal: null, push }
    response.set('etag', etag).json(answer)
  })

  /** The tag that the request names. Throws without one, and with who was quicker when it is an old one. */
  async function matching(request: Request): Promise<string> {
    const ifMatch = request.get('if-match')
    if (ifMatch === undefined)
      throw new HubError('HUB_PRECONDITION_NEEDED', say`A push must say which configuration it was made for`, {
        cure: say`Send the ETag of GET /api/admin/config as If-Match.`,
      })
    const tags = ifMatch.split(',').map((tag) => tag.trim())
    const present = entityTag(config.texts)
    if (tags.includes(present)) return present
    const version = await newest()
    const who = version?.by ?? say`somebody with access to its files`
    const why = version?.reason ? ` (${version.reason})` : ''
    const when = version === null ? '' : say` at ${new Date(version.at).toISOString()}, version ${version.id}${why}`
    throw new HubError(
      'HUB_CHANGED_MEANWHILE',
      say`The configuration is another than If-Match names: ${who} changed it${when}`,
      { cure: say`Read it again, compare, and push what is to be in force now.` },
    )
  }

  function refusalOf(request: Request, texts: PushPlan['texts']): HubError | null {
    try {
      programs.check(request, texts)
      return null
    } catch (error) {
      if (error instanceof HubError) return error
      throw error
    }
  }

  on('GET /api/admin/config/pushes', async (_request, response) => {
    response.json(await (await options.openPushes()).list())
  })

  on('GET /api/admin/config/pushes/:id', async (request, response) => {
    const id = String(request.params['id'])
    const push = await (await options.openPushes()).get(id)
    if (push === null)
      throw new HubError('HUB_PUSH_NOT_FOUND', say`There is no push ${id}`, {
        cure: say`GET /api/admin/config/pushes lists the newest; the audit log has all of them.`,
      })
    response.json(push)
  })

  on('POST /api/admin/deploy-keys', async (request, response) => {
    response.status(201).json(await keys.invite(callerOf(request), bodyOf(request, enrolDeployKeySchema)))
  })

  on('POST /api/admin/deploy-keys/enrol', async (request, response) => {
    response.status(201).json(await keys.exchange(callerOf(request)))
  })
}
