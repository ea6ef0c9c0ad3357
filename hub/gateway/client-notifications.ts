import { withoutEnvelope } from '../upstream/envelope.ts'
import type { Params } from './json-rpc.ts'
import type { View, Viewer } from './view.ts'

/** Notifications that the protocol has for clients: what they tell is the hub's to act on. */
const KNOWN: ReadonlySet<string> = new Set([
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
])

/** Passes on what only a server can know, on the connection that this client has to it; on an endpoint of one server alone. */
export function passNotification(view: View, viewer: Viewer, method: string, params: Params | undefined): void {
  const [upstream] = view.upstreams
  if (KNOWN.has(method) || view.aggregates || !upstream?.instance) return
  upstream
    .instanceFor(viewer.principal, viewer.capabilities)
    .then(({ connection }) =>
      connection.notify(method, connection.hello.era === 'legacy' ? withoutEnvelope(params) : params),
    )
    // A notification has no answer to say it in.
    .catch(() => undefined)
}
