import type { ClientSessionRecord } from '../cluster/cluster.ts'
import { logLevels, type LogLevel } from './call.ts'
import { McpError, rpc, type Params } from './json-rpc.ts'
import type { GatewayContext } from './context.ts'
import { ResourceSubscriptions, checkUri } from './resource-subscriptions.ts'
import type { Session } from './session.ts'
import { subscriptionShares } from './shares.ts'

/** What a session asks for that it wants to hear. Rejects with McpError. */
export async function wish(
  context: GatewayContext,
  session: Session,
  method: string,
  params: Params | undefined,
): Promise<void> {
  if (method === 'logging/setLevel') setLevel(session, params)
  else if (typeof params?.['uri'] !== 'string') throw new McpError(rpc.invalidParams, 'uri must be a string')
  else if (method === 'resources/subscribe') {
    checkUri(params['uri'], context.limits)
    await subscriptionsOf(context, session).add(params['uri'])
  } else session.subscriptions?.remove(params['uri'])
}

function subscriptionsOf(context: GatewayContext, session: Session): ResourceSubscriptions {
  return (session.subscriptions ??= new ResourceSubscriptions({
    view: session.view,
    client: () => ({ viewer: session.viewer, owner: session.id, wantsLogs: session.logLevel !== undefined }),
    take: () => subscriptionShares(context).take(session.principal),
    tell: (params) => session.tell('notifications/resources/updated', params),
  }))
}

/** A server logs from the lowest level that a session wants; each session's own is applied to what comes. No server is waited for. */
function setLevel(session: Session, params: Params | undefined): void {
  const level = params?.['level'] as LogLevel
  if (!logLevels.includes(level)) throw new McpError(rpc.invalidParams, `level must be one of ${logLevels.join(', ')}`)
  const wantedLogs = session.logLevel !== undefined
  session.logLevel = level
  // On a pipe another connection serves the client then.
  if (!wantedLogs) void session.subscriptions?.renew()
  for (const upstream of session.view.upstreams) upstream.wantLogs(session.served, level)
}

/** Asks the servers again for what a session wants to hear that another hub had. */
export function restore(
  context: GatewayContext,
  session: Session,
  { logLevel, subscriptions }: ClientSessionRecord,
): void {
  if (logLevels.includes(logLevel as LogLevel)) setLevel(session, { level: logLevel })
  // What a server refuses now is not subscribed any more.
  void Promise.allSettled(subscriptions.map((uri) => subscriptionsOf(context, session).add(uri)))
}
