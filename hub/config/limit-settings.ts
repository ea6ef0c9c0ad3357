import { limitDefaults, type Limits } from '../contract/limits.ts'

const help: Readonly<Record<keyof Limits, string>> = {
  maxRequestBytes: 'Body of one request of a client.',
  maxResponseBytes: 'One answer of a server.',
  maxStdioLineBytes: 'One line on a server’s stdout.',
  maxHeaderBytes: 'All headers of one request of a client.',
  maxConnections: 'Connections of clients at once.',
  maxConnectionsPerAddress: 'Those of one address; of a proxy in `server.trustProxy` all.',
  headersTimeoutMs: 'Time for the headers of a request.',
  requestTimeoutMs: 'Time for all that is sent of a request.',
  maxNestingDepth: 'Levels of one message.',
  maxBatchMessages: 'Messages of one batch, which only clients of 2025-03-26 send.',
  maxSessions: 'Sessions of legacy clients.',
  maxSessionsPerPrincipal: 'Sessions of one key or user.',
  maxListens: 'Open subscriptions of modern clients.',
  maxListensPerPrincipal: 'Open subscriptions of one key or user.',
  maxSubscriptionsPerPrincipal:
    'Resources that one key or user subscribed to, in sessions and open subscriptions together.',
  maxSubscriptionUriBytes: 'URI of one of them.',
  maxParkedCalls: 'Calls that wait for the client’s next round.',
  maxCallsPerClient: 'Calls of one client at once.',
  maxCallsPerServer: 'Calls at once, for servers without `hub.maxConcurrentCalls`.',
  maxQueuedCallsPerServer: 'Calls that wait, for servers without `hub.maxQueuedCalls`.',
  maxInstancesPerServer: 'Connections of single clients, for servers without `hub.maxInstances`.',
  maxBufferedBytesPerReader: 'What may wait for a client that does not read.',
  maxReplayBytesPerSession:
    'What a session keeps for a client that lost its connection; an answer that it has no room for is replaced by an error.',
  maxReplayBytes: 'The same of all sessions together; the one that has kept nothing new for longest gives up first.',
  sessionIdleMs: 'Time after which a session without use is ended; after two minutes, if it never had any.',
  parkedCallTtlMs: 'Time after which a call that waits is given up.',
}

/** What the listener and the connections to servers are made with, once. */
const setOnce: ReadonlySet<string> = new Set<keyof Limits>([
  'maxHeaderBytes',
  'maxConnections',
  'maxConnectionsPerAddress',
  'headersTimeoutMs',
  'requestTimeoutMs',
  'maxResponseBytes',
  'maxStdioLineBytes',
])

interface LimitSetting {
  help: string
  default: number
  live?: true
}

/** `limits.*` of the table of settings. */
export const limitSettings = Object.fromEntries(
  Object.entries(limitDefaults).map(([name, value]): [string, LimitSetting] => [
    `limits.${name}`,
    { help: help[name as keyof Limits], default: value, ...(setOnce.has(name) ? {} : { live: true as const }) },
  ]),
) as Record<`limits.${keyof Limits}`, LimitSetting>
