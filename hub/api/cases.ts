import { may, type Caller } from '../auth/caller.ts'
import { serverInScope, toolInScope } from '../auth/scope.ts'
import { caseNotFound, type CaseRecord, type SavedCases } from '../cases/saved-cases.ts'
import { suspectedSecrets } from '../cases/suspected-secrets.ts'
import {
  casesQuerySchema,
  editCaseSchema,
  saveCaseSchema,
  type SavedCase,
  type SavedCaseDetail,
} from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, told } from '../say.ts'
import type { Redactor } from '../observe/redactor.ts'
import type { ListKind } from '../upstream/catalog.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { bodyOf, callerOf, queryOf, type On } from './routes.ts'

/** `/api/cases`: arguments of calls that people saved, for everybody who may make the call. */
export function caseRoutes(on: On, options: { cases: SavedCases; supervisor: Supervisor; redactor: Redactor }): void {
  const { cases, supervisor, redactor } = options

  /** Secrets of the vault are never kept elsewhere; what may be one is kept only when a person says that it is none. */
  function checkSecrets(texts: Partial<Record<'arguments' | 'expected', string | null>>, accepted: boolean): void {
    const present = Object.entries(texts).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
    for (const [field, text] of present)
      if (redactor.text(text) !== text)
        throw new HubError('HUB_BAD_REQUEST', say`${field} holds the value of a secret of the vault`, {
          cure:
            field === 'expected'
              ? say`Save the case without its result.`
              : say`Leave it out, and type it in for the call.`,
        })
    if (accepted) return
    const suspects = present.flatMap(([field, text]) => suspectedSecrets(text).map((at) => `${field}${at}`))
    if (suspects.length === 0) return
    throw new HubError('HUB_SECRET_SUSPECTED', say`${suspects.join(', ')} looks like a secret`, {
      cure: say`Others see a saved case, and it stands in backups. Leave the value out, or send acceptSecrets.`,
      faults: suspects.map((path) =>
        told({
          ...{ file: null, path, line: null, column: null },
          message: say`It looks like a secret`,
          cure: say`Leave it out, or say that it is none.`,
        }),
      ),
    })
  }

  async function find(caller: Caller, id: string): Promise<CaseRecord> {
    const found = (await cases.all()).find((one) => one.id === id)
    if (found === undefined || !isVisible(caller, found)) throw caseNotFound(id)
    return found
  }

  function checkEditable(caller: Caller, found: CaseRecord): void {
    if (!isVisible(caller, found)) throw caseNotFound(found.id)
    if (!isEditable(caller, found))
      throw new HubError('HUB_FORBIDDEN', say`${found.name} was saved by ${found.savedBy}`, {
        cure: say`Save it under another name, or ask somebody with profiles:write.`,
      })
  }

  on('GET /api/cases', async (request, response) => {
    const wanted = queryOf(request, casesQuerySchema)
    const caller = callerOf(request)
    const found = (await cases.all()).filter(
      (one) =>
        isVisible(caller, one) &&
        (wanted.method === undefined || one.method === wanted.method) &&
        (wanted.server === undefined || one.server === wanted.server) &&
        (wanted.target === undefined || one.target === wanted.target) &&
        (wanted.gone === undefined || isGone(supervisor.upstreams.get(one.server), one)),
    )
    response.json(found.map((one) => summary(caller, one)))
  })

  on('POST /api/cases', async (request, response) => {
    const { acceptSecrets = false, expected = null, ...body } = bodyOf(request, saveCaseSchema)
    const caller = callerOf(request)
    checkVisible(caller, body)
    checkSecrets({ arguments: body.arguments, expected }, acceptSecrets)
    const made = await cases.add({ ...body, expected, owner: ownerOf(caller), savedBy: caller.name })
    response.status(201).json(detail(caller, made))
  })

  on('GET /api/cases/:id', async (request, response) => {
    const caller = callerOf(request)
    response.json(detail(caller, await find(caller, String(request.params['id']))))
  })

  on('PUT /api/cases/:id', async (request, response) => {
    const { acceptSecrets = false, ...body } = bodyOf(request, editCaseSchema)
    const caller = callerOf(request)
    checkSecrets({ arguments: body.arguments ?? null, expected: body.expected ?? null }, acceptSecrets)
    const changes = {
      ...(body.server === undefined ? {} : { server: body.server }),
      ...(body.target === undefined ? {} : { target: body.target }),
      ...(body.name === undefined ? {} : { name: body.name }),
      ...(body.arguments === undefined ? {} : { arguments: body.arguments }),
      ...(body.expected === undefined ? {} : { expected: body.expected }),
    }
    const edited = await cases.edit(String(request.params['id']), changes, (found) => {
      checkEditable(caller, found)
      checkVisible(caller, { ...found, ...changes })
    })
    response.json(detail(caller, edited))
  })

  on('DELETE /api/cases/:id', async (request, response) => {
    const caller = callerOf(request)
    await cases.remove(String(request.params['id']), (found) => checkEditable(caller, found))
    response.status(204).end()
  })
}

type Subject = Pick<CaseRecord, 'method' | 'server' | 'target'>

function checkVisible(caller: Caller, { method, server, target }: Subject): void {
  if (!isVisible(caller, { method, server, target }))
    throw new HubError('HUB_SERVER_NOT_FOUND', say`There is no server named ${server} with ${target}`)
}

/** What a call may be named by in the lists of its server. */
const namedBy: Readonly<Record<CaseRecord['method'], readonly (readonly [ListKind, key: string])[]>> = {
  'tools/call': [['tools', 'name']],
  'prompts/get': [['prompts', 'name']],
  'resources/read': [
    ['resources', 'uri'],
    ['resourceTemplates', 'uriTemplate'],
  ],
}

/** Its server is not there, or offers other things; what one offers that never ran is not known. */
function isGone(upstream: Upstream | undefined, { method, target }: Subject): boolean {
  if (upstream === undefined) return true
  if (upstream.hello === null) return false
  const lists = upstream.catalogs.flatMap((catalog) =>
    namedBy[method].map(([kind, key]) => [catalog.lists[kind], key] as const),
  )
  return !lists.some(([items, key]) => items.some((item) => item[key] === target))
}

const ownerOf = (caller: Caller): string => caller.user ?? caller.id

function isVisible({ scopes }: Caller, { method, server, target }: Subject): boolean {
  return serverInScope(scopes, server) && (method !== 'tools/call' || toolInScope(scopes, server, target))
}

function isEditable(caller: Caller, { owner }: CaseRecord): boolean {
  return owner === ownerOf(caller) || may(caller, 'profiles:write')
}

function summary(caller: Caller, found: CaseRecord): SavedCase {
  const { id, method, server, target, name, savedBy, savedAt, expected } = found
  const editable = isEditable(caller, found)
  return { id, method, server, target, name, savedBy, savedAt, hasExpected: expected !== null, editable }
}

function detail(caller: Caller, found: CaseRecord): SavedCaseDetail {
  return { ...summary(caller, found), arguments: found.arguments, expected: found.expected }
}
