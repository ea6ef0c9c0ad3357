import type { Call } from '../gateway/call.ts'
import type { RequestHints } from './channel.ts'
import { IdTable } from './id-table.ts'

/** A request that the server has not answered. */
export interface Pending {
  call: Call
  startedAt: number
  deadline: number
  /** Questions of the server that wait for this call's client. */
  asked: number
  /** It met a forgotten session before: a second time the fault is another one. */
  renewed: boolean
  text: string
  hints: RequestHints
}

/** The requests in flight on a connection. */
export class PendingCalls extends IdTable<Pending> {
  #ofClients = 0

  /** Without the hub's own, of which a subscription lasts as long as the connection. */
  get ofClients(): number {
    return this.#ofClients
  }

  override add(hop: number, entry: Pending): void {
    super.add(hop, entry)
    if (isOfClient(entry)) this.#ofClients++
  }

  override delete(hop: number): void {
    const entry = this.get(hop)
    super.delete(hop)
    if (entry !== undefined && isOfClient(entry)) this.#ofClients--
  }
}

const isOfClient = ({ call }: Pending): boolean => call.owner !== 'hub'
