import type { Request, Response } from 'express'
import {
  pushRequestSchema,
  rollbackRequestSchema,
  saveTargetSchema,
  targetNameSchema,
  type ConfigTexts,
  type RunOperation,
  type SavedTarget,
} from '../contract/index.ts'
import type { ConfigStore } from '../config/store.ts'
import { HubError } from '../hub-error.ts'
import type { Redactor } from '../observe/redactor.ts'
import type { Asked, PushService } from '../publish/push/index.ts'
import type { StoredTarget } from '../publish/push/targets.ts'
import { saidOfIssue, say, type Words } from '../say.ts'
import type { ProgramsConsent } from './exec-check.ts'
import { createPushRuns } from './push-runs.ts'
import { bodyOf, nameParam, type On } from './routes.ts'

export interface PushParts {
  push: PushService
  /** What a pull changes. */
  config: ConfigStore
  programs: ProgramsConsent
  redactor: Redactor
}

/** `/api/publish/targets` and `/api/publish/runs`: servers to publish to, and what is done with them. */
export function pushRoutes(on: On, { push, config, programs, redactor }: PushParts): void {
  const described = async (name: string, stored: StoredTarget): Promise<SavedTarget> => ({
    name,
    ...stored,
    last: await push.history.newest(name),
  })

  on('GET /api/publish/targets', async (_request, response) => {
    const all = await push.targets.list()
    response.json(await Promise.all(all.map(([name, stored]) => described(name, stored))))
  })

  on('GET /api/publish/targets/:name', async (request, response) => {
    const name = nameParam(request)
    response.json(await described(name, await push.targets.get(name)))
  })

  on('PUT /api/publish/targets/:name', async (request, response) => {
    const name = targetName(nameParam(request))
    const { target, connection, rename = name } = bodyOf(request, saveTargetSchema)
    await push.targets.save(name, { target, connection }, rename)
    if (rename !== name) await push.history.moved(name, rename)
    response.json(await described(rename, { target, connection }))
  })

  on('DELETE /api/publish/targets/:name', async (request, response) => {
    const name = nameParam(request)
    await push.targets.remove(name)
    await push.history.forget(name)
    response.status(204).end()
  })

  on('DELETE /api/publish/targets/:name/host-keys', async (request, response) => {
    const { connection } = await push.targets.get(nameParam(request))
    for (const hop of [connection, connection.jump])
      if (hop !== undefined) await push.knownHosts.forget(hop.host, hop.port)
    response.status(204).end()
  })

  on('GET /api/publish/targets/:name/history', async (request, response) => {
    const name = nameParam(request)
    await push.targets.get(name)
    response.json(await push.history.list(name))
  })

  on('GET /api/publish/targets/:name/history/:id', async (request, response) => {
    const name = nameParam(request)
    await push.targets.get(name)
    response.json(await push.history.get(name, String(request.params['id'])))
  })

  const start = createPushRuns(on, push, redactor)
  async function run(
    operation: RunOperation,
    request: Request,
    response: Response,
    more: Pick<Asked, 'config' | 'release' | 'local'> = {},
  ): Promise<void> {
    const name = nameParam(request)
    await start(request, response, { operation, name, stored: await push.targets.get(name), ...more })
  }

  on('POST /api/publish/targets/:name/plan', (request, response) => run('plan', request, response))
  on('POST /api/publish/targets/:name/verify', (request, response) => run('verify', request, response))
  on('POST /api/publish/targets/:name/push', (request, response) =>
    run('push', request, response, bodyOf(request, pushRequestSchema)),
  )
  on('POST /api/publish/targets/:name/rollback', (request, response) =>
    run('rollback', request, response, bodyOf(request, rollbackRequestSchema)),
  )
  on('POST /api/publish/targets/:name/pull', (request, response) => {
    const save = (texts: ConfigTexts, reason: Words): Promise<void> => programs.replace(request, texts, reason)
    return run('pull', request, response, { local: { texts: () => config.texts, save } })
  })
}

function targetName(name: string): string {
  const checked = targetNameSchema.safeParse(name)
  if (!checked.success)
    throw new HubError(
      'HUB_BAD_REQUEST',
      say`${name}: ${saidOfIssue(checked.error.issues[0] ?? { message: 'is no name' })}`,
    )
  return checked.data
}
