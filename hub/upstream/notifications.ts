import { ELICITATION_COMPLETE, isLogged, type Call } from '../gateway/call.ts'
import { META, isObject, type JsonRpcId, type Params } from '../gateway/json-rpc.ts'
import type { IdTable } from './id-table.ts'

/** A call in flight, as far as notifications of its server concern it. */
interface Notified {
  readonly call: Call
}

export interface NotificationsOptions<Entry extends Notified> {
  inFlight: Pick<IdTable<Entry>, 'get' | 'values'>
  /** A call made progress: it is alive. */
  onProgress: (entry: Entry) => void
  /** The server takes a question back. */
  withdraw: (id: JsonRpcId) => void
  /** What belongs to no call. */
  unowned: (method: string, params: Params | undefined) => void
}

/** Whose a notification of a server is: it goes to the call that it belongs to, and to nobody else. */
export interface Notifications {
  /** `hop` names the call on whose stream it came, where the transport tells. */
  receive: (method: string, params: Params | undefined, hop: number | null) => void
}

export function createNotifications<Entry extends Notified>(options: NotificationsOptions<Entry>): Notifications {
  const { inFlight } = options
  function onProgress(params: Params | undefined): void {
    const token = params?.['progressToken']
    const entry = typeof token === 'number' ? inFlight.get(token) : undefined
    if (entry?.call.progressToken === undefined) return
    options.onProgress(entry)
    entry.call.notify('notifications/progress', { ...params, progressToken: entry.call.progressToken })
  }

  /**
   * On a shared pipe a log message names no call. It goes to the newest that wants it as long as all that run are of one
   * client: what a server logs of one must not show to another. (Who asks for logs has a pipe of its own, see calls.ts.)
   */
  function onLogMessage(params: Params | undefined, hop: number | null): void {
    const concerned = hop === null ? inFlight.values() : [inFlight.get(hop)]
    const running = concerned.flatMap((entry) =>
      entry === undefined || entry.call.owner === 'hub' ? [] : [entry.call],
    )
    const clients = new Set(
      running.map(({ principal, owner, clientInfo }) => JSON.stringify([principal, owner, clientInfo])),
    )
    const wanted = running.findLast(({ logLevel }) => logLevel !== undefined && isLogged(params?.['level'], logLevel))
    if (clients.size === 1 && wanted !== undefined) wanted.notify('notifications/message', params)
    else options.unowned('notifications/message', params)
  }

  return {
    receive: (method, params, hop) => {
      if (method === 'notifications/progress') onProgress(params)
      else if (method === 'notifications/message') onLogMessage(params, hop)
      else if (method === 'notifications/cancelled') options.withdraw(params?.['requestId'] as JsonRpcId)
      else {
        const entry = inFlight.get(hop ?? subscriptionOf(params))
        if (entry === undefined || isBroadcast(method)) options.unowned(method, params)
        // The modern era does not have it.
        else if (method !== ELICITATION_COMPLETE || entry.call.clientEra === 'legacy') entry.call.notify(method, params)
      }
    },
  }
}

/** The subscription that a notification says it belongs to, which is all that tells on a pipe; ids begin at 1. */
function subscriptionOf(params: Params | undefined): number {
  const meta = params?.['_meta']
  const id = isObject(meta) ? meta[META.subscriptionId] : undefined
  return typeof id === 'number' ? id : 0
}

function isBroadcast(method: string): boolean {
  return method.endsWith('/list_changed') || method === 'notifications/resources/updated'
}
