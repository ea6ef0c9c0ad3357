import { doctorRequestSchema, type DoctorProgress } from '../contract/index.ts'
import { may } from '../auth/caller.ts'
import { HubError } from '../hub-error.ts'
import type { Redactor } from '../observe/redactor.ts'
import { say } from '../say.ts'
import { clearSecrets } from '../secrets/lift.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import { reportRuntimes } from '../upstream/doctor/runtime-report.ts'
import { minimalEnvironment } from '../upstream/process/environment.ts'
import type { SearchPath, SearchPathSource } from '../upstream/process/search-path.ts'
import type { ExecCheck } from './exec-check.ts'
import { linesInto, wantsLines } from './lines.ts'
import { bodyOf, callerOf, nameParam, type On } from './routes.ts'

/** `/api/servers/:name/doctor` and `/api/runtimes`: why a server does not start. */
export function doctorRoutes(
  on: On,
  options: { supervisor: Supervisor; searchPath: SearchPathSource; redactor: Redactor; checkExec: ExecCheck },
): void {
  const { supervisor, searchPath, redactor, checkExec } = options
  let examinations = 0

  on('POST /api/servers/:name/doctor', async (request, response) => {
    const name = nameParam(request)
    const { config: given } = bodyOf(request, doctorRequestSchema)
    const saved = supervisor.upstreams.get(name)?.config
    // An entry that is given is a program that is run: that is for those who may save it.
    if (given !== undefined && !may(callerOf(request), 'servers:write'))
      throw new HubError(
        'HUB_FORBIDDEN',
        say`Examining an entry that is not saved needs the permission servers:write`,
        {
          cure: say`Leave out config to examine the server as it is saved.`,
        },
      )
    if (given !== undefined) checkExec(request, saved ?? null, given)
    const config = given ?? saved
    if (config === undefined) throw new HubError('HUB_SERVER_NOT_FOUND', say`There is no server named ${name}`)
    const examination = `doctor ${++examinations}`
    redactor.know(examination, clearSecrets(config))
    const abort = new AbortController()
    response.once('close', () => abort.abort())
    // What is told has been through the redactor.
    const tell: ((progress: DoctorProgress) => void) | null = wantsLines(request) ? linesInto(response) : null
    try {
      const report = await (await supervisor.doctor()).examine(name, config, abort.signal, tell ?? undefined)
      if (response.destroyed) return
      if (tell === null) response.json(report)
      else {
        tell({ type: 'report', report })
        response.end()
      }
    } finally {
      redactor.know(examination, [])
    }
  })

  const answer = async (found: SearchPath): ReturnType<typeof reportRuntimes> =>
    reportRuntimes(found, minimalEnvironment(process.env, found.value, process.platform))

  on('GET /api/runtimes', async (_request, response) => {
    response.json(await answer(await searchPath.current()))
  })

  on('POST /api/runtimes/refresh', async (_request, response) => {
    response.json(await answer(await searchPath.refresh()))
  })
}
