import type { Request } from 'express'
import { parse } from 'jsonc-parser'
import { isDeepStrictEqual } from 'node:util'
import { may } from '../auth/caller.ts'
import type { ExecConsents } from '../auth/exec-consents.ts'
import { changedPrograms, reachOfChange } from '../auth/exec-stamp.ts'
import { parseServersFile } from '../config/parse-servers.ts'
import { valueAt } from '../config/read-settings.ts'
import type { SystemPath } from '../config/settings.ts'
import type { ConfigStore } from '../config/store.ts'
import type { ConfigTexts, ServerConfig, SystemFile, Webhook } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, type Said, type Words } from '../say.ts'
import { callerOf } from './routes.ts'

/** Who changes these lets the hub run other programs, reach other machines, or write into other files. */
export const settingsOfExec: ReadonlySet<string> = new Set<SystemPath>([
  'server.allowRuntimeStdio',
  'server.execConsent',
  'server.allowPrivateAddresses',
  'auth.oauth',
  'logging.file',
  'backup.folder',
])

/** Throws HUB_EXEC_REFUSED for whoever lacks servers:exec. */
function needExec(request: Request, why: Said): void {
  if (may(callerOf(request), 'servers:exec')) return
  throw new HubError('HUB_EXEC_REFUSED', why, { cure: say`Ask an administrator to do it.` })
}

/** Throws when a caller may not change a setting of system.json for what it lets the hub do. */
export function checkSetting(request: Request, name: string): void {
  if (settingsOfExec.has(name))
    needExec(request, say`${name} decides what the hub may run, reach or write, which needs servers:exec`)
}

/** Throws when a caller may not send the hub where the webhook `after` does; `before` is the entry that it replaces. */
export function checkWebhook(
  request: Request,
  before: Webhook | undefined,
  { url, allowPrivateAddresses }: { url: string; allowPrivateAddresses?: boolean | null | undefined },
): void {
  if (allowPrivateAddresses !== true || (before?.url === url && before.allowPrivateAddresses === true)) return
  needExec(request, say`This would let the hub into private networks, which needs servers:exec`)
}

/** Throws when a caller may not have the program of `after` run, or the hub led into the networks that it names; `before` is the entry that it replaces. */
export type ExecCheck = (request: Request, before: ServerConfig | null, after: ServerConfig) => void

/** Who decides which program runs runs code on this machine: a permission of its own, and on some hubs nobody's. */
export function createExecCheck(allowRuntimeStdio: () => boolean): ExecCheck {
  return (request, before, after) => {
    const reach = reachOfChange(before, after)
    if (reach === null) return
    needExec(
      request,
      reach === 'program'
        ? say`This would run another program on the hub, which needs servers:exec`
        : say`This would let the hub into private networks, which needs servers:exec`,
    )
    if (reach === 'program' && !allowRuntimeStdio())
      throw new HubError('HUB_EXEC_REFUSED', say`This hub takes programs from its configuration folder only`, {
        cure: say`Publish the server, or set server.allowRuntimeStdio in system.json.`,
      })
  }
}

/** The programs that another configuration runs, and what else it lets the hub do. */
export interface ProgramsConsent {
  /** Throws when the caller may not bring it into force: going back is a change like any other. */
  check: (request: Request, texts: ConfigTexts) => void
  /**
   * Checks it, and brings it into force. Whoever does agrees to the programs that it changes, and to no other: what somebody
   * else put there goes on waiting.
   */
  replace: (request: Request, texts: ConfigTexts, reason: Words) => Promise<void>
}

export function createProgramsConsent(
  present: Pick<ConfigStore, 'servers' | 'systemAsWritten' | 'replace'>,
  checkExec: ExecCheck,
  consents: ExecConsents,
  applied: () => Promise<void>,
): ProgramsConsent {
  /** What is not valid is refused when it is to be written, and told better there. */
  function entriesOf(texts: ConfigTexts): [string, ServerConfig][] {
    const next = parseServersFile(texts.servers, 'servers.json')
    return next.ok ? Object.entries(next.value.mcpServers) : []
  }
  const programs: ProgramsConsent = {
    check: (request, texts) => {
      const { mcpServers } = present.servers
      for (const [name, entry] of entriesOf(texts))
        checkExec(request, Object.hasOwn(mcpServers, name) ? (mcpServers[name] ?? null) : null, entry)
      const before = present.systemAsWritten
      const after = (parse(texts.system) ?? {}) as SystemFile
      for (const name of settingsOfExec)
        if (!isDeepStrictEqual(valueAt(before, name), valueAt(after, name))) checkSetting(request, name)
      for (const [id, hook] of Object.entries(after.monitoring?.webhooks ?? {}))
        checkWebhook(request, webhookOf(before, id), hook)
    },
    replace: async (request, texts, reason) => {
      programs.check(request, texts)
      const changed = changedPrograms(present.servers.mcpServers, Object.fromEntries(entriesOf(texts)))
      await present.replace(texts, { by: callerOf(request).name, reason })
      try {
        for (const [name, entry] of changed) await consents.agree(name, entry)
      } finally {
        await applied()
      }
    },
  }
  return programs
}

/** What stands under an id; undefined where nothing does. */
export function webhookOf(system: SystemFile, id: string): Webhook | undefined {
  const all = system.monitoring?.webhooks ?? {}
  return Object.hasOwn(all, id) ? all[id] : undefined
}
