import type { Request } from 'express'
import { may } from '../auth/caller.ts'
import type { ExecConsents } from '../auth/exec-consents.ts'
import { reachOfChange } from '../auth/exec-stamp.ts'
import { parseServersFile } from '../config/parse-servers.ts'
import type { ConfigTexts, ServerConfig, ServersFile } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
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
          ? say`This would run another program on the hub, which needs servers:exec`
          : say`This would let the hub into private networks, which needs servers:exec`,
        { cure: say`Ask an administrator to do it.` },
      )
    if (reach === 'program' && !allowRuntimeStdio())
      throw new HubError('HUB_EXEC_REFUSED', say`This hub takes programs from its configuration folder only`, {
        cure: say`Publish the server, or set server.allowRuntimeStdio in system.json.`,
      })
  }
}

/** The programs that another configuration runs. */
export interface ProgramsConsent {
  /** Throws when the caller may not have them run: going back is a change like any other. */
  check: (request: Request, texts: ConfigTexts) => void
  /** Whoever brings it into force agrees to them. */
  agree: (texts: ConfigTexts) => Promise<void>
}

export function createProgramsConsent(
  present: () => ServersFile,
  checkExec: ExecCheck,
  consents: ExecConsents,
): ProgramsConsent {
  /** What is not valid is refused when it is to be written, and told better there. */
  function entriesOf(texts: ConfigTexts): [string, ServerConfig][] {
    const next = parseServersFile(texts.servers, 'servers.json')
    return next.ok ? Object.entries(next.value.mcpServers) : []
  }
  return {
    check: (request, texts) => {
      const { mcpServers } = present()
      for (const [name, entry] of entriesOf(texts))
        checkExec(request, Object.hasOwn(mcpServers, name) ? (mcpServers[name] ?? null) : null, entry)
    },
    agree: async (texts) => {
      for (const [name, entry] of entriesOf(texts)) await consents.agree(name, entry)
    },
  }
}
