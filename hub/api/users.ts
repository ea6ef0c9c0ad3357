import type { Request } from 'express'
import {
  createUserSchema,
  editUserSchema,
  resetPasswordSchema,
  restoreVersionSchema,
  roleGrants,
  roles,
  sessionsQuerySchema,
} from '../contract/index.ts'
import { may } from '../auth/caller.ts'
import type { People, Identity } from '../auth/identity.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { bodyOf, callerOf, nameParam, queryOf, type On } from './routes.ts'

/** `/api/users`, `/api/roles` and `/api/sessions`; on the desktop there are no users. */
export function userRoutes(on: On, identity: Identity): void {
  function people(): Promise<People> {
    const found = identity.people()
    if (found === null) throw new HubError('HUB_NOT_FOUND', say`The desktop app has no users`)
    return found
  }

  on('GET /api/roles', (_request, response) => {
    response.json(roles.map((role) => ({ role, permissions: roleGrants[role] })))
  })

  const versionId = (request: Request): number => {
    const id = String(request.params['id'])
    return /^\d{1,9}$/.test(id) ? Number(id) : 0
  }

  on('GET /api/config/users/versions', async (_request, response) => {
    response.json({ versions: await (await people()).users.versions() })
  })

  on('GET /api/config/users/versions/:id', async (request, response) => {
    response.json(await (await people()).users.version(versionId(request)))
  })

  on('POST /api/config/users/versions/:id/restore', async (request, response) => {
    const { users } = await people()
    await users.restore(callerOf(request), versionId(request), bodyOf(request, restoreVersionSchema).reason)
    response.json({ versions: await users.versions() })
  })

  on('GET /api/users', async (_request, response) => {
    response.json(await (await people()).users.list())
  })

  on('POST /api/users', async (request, response) => {
    const { users } = await people()
    response.status(201).json(await users.create(callerOf(request), bodyOf(request, createUserSchema)))
  })

  on('GET /api/users/:name', async (request, response) => {
    response.json(await (await people()).users.get(nameParam(request)))
  })

  on('PUT /api/users/:name', async (request, response) => {
    const { users } = await people()
    response.json(await users.edit(callerOf(request), nameParam(request), bodyOf(request, editUserSchema)))
  })

  on('DELETE /api/users/:name', async (request, response) => {
    await (await people()).users.remove(callerOf(request), nameParam(request))
    response.status(204).end()
  })

  on('POST /api/users/:name/password', async (request, response) => {
    const { users } = await people()
    const { password } = bodyOf(request, resetPasswordSchema)
    response.json(await users.resetPassword(callerOf(request), nameParam(request), password))
  })

  on('POST /api/users/:name/unlock', async (request, response) => {
    response.json(await (await people()).users.unlock(callerOf(request), nameParam(request)))
  })

  on('POST /api/users/:name/sign-out', async (request, response) => {
    const ended = await (await people()).users.signOut(callerOf(request), nameParam(request))
    response.json({ ended })
  })

  on('GET /api/sessions', async (request, response) => {
    const caller = callerOf(request)
    const everybody = may(caller, 'users:manage') && queryOf(request, sessionsQuerySchema).user !== 'me'
    response.json(await (await people()).signIn.sessions(caller, everybody))
  })

  on('DELETE /api/sessions/:id', async (request, response) => {
    await (await people()).signIn.revoke(callerOf(request), String(request.params['id']))
    response.status(204).end()
  })
}
