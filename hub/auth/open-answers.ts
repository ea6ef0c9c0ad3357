import type { ServerResponse } from 'node:http'
import { ChurnMap } from '../churn-map.ts'
import type { Caller } from './caller.ts'

/** What another hub revoked, and what ended by its time, is noticed this late at most. */
const LOOK_MS = 15_000

export interface OpenAnswersOptions {
  /** Whether the credential that a caller came with is still good, and for the same. Rejects when that cannot be told. */
  isCurrent: (caller: Caller) => boolean | Promise<boolean>
  /** These principals' answers were ended. */
  onRevoked: (principals: ReadonlySet<string>) => void
  lookMs?: number
}

/**
 * The answers that are not over, with who asked for them. A credential is looked at when a request comes; a stream may last
 * for days, so it is ended when its credential is.
 */
export interface OpenAnswers {
  readonly size: number
  add: (response: ServerResponse, caller: Caller) => void
  /** Ends the answers of everybody whose credential is not good any more. */
  look: () => Promise<void>
  dispose: () => void
}

export function createOpenAnswers({ isCurrent, onRevoked, lookMs = LOOK_MS }: OpenAnswersOptions): OpenAnswers {
  const open = new ChurnMap<ServerResponse, Caller>()
  const timer = setInterval(() => void look(), lookMs).unref()

  function forget(this: ServerResponse): void {
    open.delete(this)
  }

  /** One credential, however many streams it has open. */
  const keyOf = ({ id, session, expiresAt }: Caller): string => `${id} ${session ?? ''} ${expiresAt ?? ''}`

  async function look(): Promise<void> {
    const callers = new Map(open.entries().map(([, caller]) => [keyOf(caller), caller]))
    const revoked = new Set<string>()
    for (const [key, caller] of callers) {
      // While the store is away nobody new gets in, and who is in may stay.
      const current = await Promise.resolve(isCurrent(caller)).catch(() => true)
      if (!current) revoked.add(key)
    }
    if (revoked.size === 0) return
    const principals = new Set<string>()
    for (const [response, caller] of open.entries()) {
      if (!revoked.has(keyOf(caller))) continue
      principals.add(caller.id)
      response.destroy()
    }
    onRevoked(principals)
  }

  return {
    get size() {
      return open.size
    },
    add: (response, caller) => {
      // Its client left while the caller was looked up: 'close' does not come again.
      if (response.destroyed) return
      open.set(response, caller)
      response.on('close', forget)
    },
    look,
    dispose: () => clearInterval(timer),
  }
}
