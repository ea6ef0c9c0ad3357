import { saveTargetSchema, targetNameSchema, type SavedTarget } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import type { PublishHistory } from '../publish/push/history.ts'
import type { StoredTarget, Targets } from '../publish/push/targets.ts'
import { bodyOf, nameParam, type On } from './routes.ts'

export interface PushParts {
  targets: Targets
  history: PublishHistory
}

/** `/api/publish/targets`: servers to publish to, and what was published there. */
export function pushRoutes(on: On, { targets, history }: PushParts): void {
  const described = async (name: string, stored: StoredTarget): Promise<SavedTarget> => ({
    name,
    ...stored,
    last: await history.newest(name),
  })

  on('GET /api/publish/targets', async (_request, response) => {
    const all = await targets.list()
    response.json(await Promise.all(all.map(([name, stored]) => described(name, stored))))
  })

  on('GET /api/publish/targets/:name', async (request, response) => {
    const name = nameParam(request)
    response.json(await described(name, await targets.get(name)))
  })

  on('PUT /api/publish/targets/:name', async (request, response) => {
    const name = targetName(nameParam(request))
    const { target, connection, rename = name } = bodyOf(request, saveTargetSchema)
    await targets.save(name, { target, connection }, rename)
    if (rename !== name) await history.moved(name, rename)
    response.json(await described(rename, { target, connection }))
  })

  on('DELETE /api/publish/targets/:name', async (request, response) => {
    const name = nameParam(request)
    await targets.remove(name)
    await history.forget(name)
    response.status(204).end()
  })

  on('GET /api/publish/targets/:name/history', async (request, response) => {
    const name = nameParam(request)
    await targets.get(name)
    response.json(await history.list(name))
  })

  on('GET /api/publish/targets/:name/history/:id', async (request, response) => {
    const name = nameParam(request)
    await targets.get(name)
    response.json(await history.get(name, String(request.params['id'])))
  })
}

function targetName(name: string): string {
  const checked = targetNameSchema.safeParse(name)
  if (!checked.success)
    throw new HubError('HUB_BAD_REQUEST', `${name}: ${checked.error.issues[0]?.message ?? 'is no name'}`)
  return checked.data
}
