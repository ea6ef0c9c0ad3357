import type { Request } from 'express'
import { may } from '../auth/caller.ts'
import { execStamp } from '../auth/exec-stamp.ts'
import { isRemote, type ServerConfig } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { callerOf } from './routes.ts'

/** Throws when a caller may not have the program of `after` run; `before` is the entry that it replaces. */
export type ExecCheck = (request: Request, before: ServerConfig | null, after: ServerConfig) => void

/** Who decides which program runs runs code on this machine: a permission of its own, and on some hubs nobody's. */
export function createExecCheck(allowRuntimeStdio: () => boolean): ExecCheck {
  return (request, before, after) => {
    if (isRemote(after) || (before !== null && execStamp(before) === execStamp(after))) return
    if (!may(callerOf(request), 'servers:exec'))
      throw new HubError('HUB_EXEC_REFUSED', 'This would run another program on the hub, which needs servers:exec', {
        cure: 'Ask an administrator to do it.',
      })
    if (!allowRuntimeStdio())
      throw new HubError('HUB_EXEC_REFUSED', 'This hub takes programs from its configuration folder only', {
        cure: 'Publish the server, or set server.allowRuntimeStdio in system.json.',
      })
  }
}
