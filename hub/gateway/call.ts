import type { Era } from '../contract/index.ts'
import type { Params, Reply } from './json-rpc.ts'

export type ClientCapabilities = Params
export const logLevels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const
export type LogLevel = (typeof logLevels)[number]

/**
 * One request of one client on its way to a server: neutral to the era on either side. The edge that made it renders what
 * comes back; the connection that carries it knows nothing of HTTP responses or sessions.
 */
export interface Call {
  readonly method: string
  /** The client's params with names already translated for the server. The connection may change `_meta` in place. */
  readonly params: Params | undefined
  readonly clientEra: Era
  /** Exchanges with the same owner belong to one client session; a server's question never crosses owners. */
  readonly owner: string
  readonly principal: string
  readonly capabilities: ClientCapabilities
  readonly clientInfo: unknown
  /** The client's own progress token, when it wants progress. */
  readonly progressToken: string | number | undefined
  /** Level from which the client wants log messages; undefined for none. */
  readonly logLevel: LogLevel | undefined
  /** `Mcp-Param-*` headers for a modern HTTP server. */
  readonly paramHeaders: Record<string, string> | undefined
  /** A notification within the call's scope, with tokens as the client knows them. */
  notify: (method: string, params: Params | undefined) => void
  /** Puts the server's question to the client; resolves with its result, rejects with McpError. */
  ask: (method: string, params: Params | undefined) => Promise<unknown>
  /** The end of the call; called exactly once. */
  finish: (reply: Reply) => void
}

/** Stops a call that runs: the server is told, and nothing further reaches the client. */
export type CancelCall = (reason: string) => void

/** What a client can be asked, as a short key: servers of the legacy era shape their lists by it. */
export function capabilityProfile(capabilities: ClientCapabilities): string {
  return (
    (capabilities['elicitation'] ? 'e' : '') +
    (capabilities['sampling'] ? 's' : '') +
    (capabilities['roots'] ? 'r' : '')
  )
}

/** The capabilities that a connection of a profile declares to its server. */
export function capabilitiesOfProfile(profile: string): ClientCapabilities {
  return {
    ...(profile.includes('e') ? { elicitation: { form: {}, url: {} } } : {}),
    ...(profile.includes('s') ? { sampling: {} } : {}),
    ...(profile.includes('r') ? { roots: { listChanged: true } } : {}),
  }
}

export function isLogged(level: unknown, threshold: LogLevel): boolean {
  return logLevels.indexOf(level as LogLevel) >= logLevels.indexOf(threshold)
}
