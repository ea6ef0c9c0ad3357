import type { Request } from 'express'
import { may } from '../auth/caller.ts'
import { reachOfChange } from '../auth/exec-stamp.ts'
import type { ServerConfig } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { callerOf } from './routes.ts'

/** Throws when a caller may not have the program of `after` run, or the hub led into the networks that it names; `before` is the entry that it replaces. */
export type ExecCheck = (request: Request, before: ServerConfig | null, after: ServerConfig) => void

/** Who decides which program runs runs code on this machine: a permission of its own, and on some hubs nobody's. */
export function createExecCheck(allowRuntimeStdio: () => boolean): ExecCheck {
  return (request, before, after) => {
    const reach = reachOfChange(before, after)
    if (reach === null) return
    if (!may(callerOf(request), 'servers:exec'))
      throw new HubError(
        'HUB_EXEC_REFUSED',
        reach === 'program'
          ? 'This would run another program on the hub, which needs servers:exec'
          : 'This would let the hub into private networks, which needs servers:exec',
        { cure: 'Ask an administrator to do it.' },
      )
    if (reach === 'program' && !allowRuntimeStdio())
      throw new HubError('HUB_EXEC_REFUSED', 'This hub takes programs from its configuration folder only', {
        cure: 'Publish the server, or set server.allowRuntimeStdio in system.json.',
      })
  }
}
