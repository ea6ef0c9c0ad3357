import type { Limits } from '../contract/limits.ts'
import { settings, type Setting, type SettingName } from './settings.ts'

/** Apart from the table, which every start loads. */
const limitHelp: Readonly<Record<`limits.${keyof Limits}`, string>> = {
  'limits.maxRequestBytes': 'Body of one request of a client.',
  'limits.maxResponseBytes': 'One answer of a server.',
  'limits.maxStdioLineBytes': 'One line on a server’s stdout.',
  'limits.maxHeaderBytes': 'All headers of one request of a client.',
  'limits.maxConnections': 'Connections of clients at once.',
  'limits.maxConnectionsPerAddress': 'Those of one address; of a proxy in `server.trustProxy` all.',
  'limits.headersTimeoutMs': 'Time for the headers of a request.',
  'limits.requestTimeoutMs': 'Time for all that is sent of a request.',
  'limits.maxNestingDepth': 'Levels of one message.',
  'limits.maxBatchMessages': 'Messages of one batch, which only clients of 2025-03-26 send.',
  'limits.maxSessions': 'Sessions of legacy clients.',
  'limits.maxSessionsPerPrincipal': 'Sessions of one key or user.',
  'limits.maxClientBytes': 'What a client says of itself and its capabilities.',
  'limits.maxListens': 'Open subscriptions of modern clients.',
  'limits.maxListensPerPrincipal': 'Open subscriptions of one key or user.',
  'limits.maxSubscriptionsPerPrincipal':
    'Resources that one key or user subscribed to, in sessions and open subscriptions together.',
  'limits.maxSubscriptionUriBytes': 'URI that somebody subscribes to.',
  'limits.maxParkedCalls': 'Calls that wait for the client’s next round.',
  'limits.maxCallsPerClient': 'Calls of one client at once.',
  'limits.maxCallsPerServer': 'Calls at once, for servers without `hub.maxConcurrentCalls`.',
  'limits.maxQueuedCallsPerServer': 'Calls that wait, for servers without `hub.maxQueuedCalls`.',
  'limits.maxInstancesPerServer': 'Connections of single clients, for servers without `hub.maxInstances`.',
  'limits.maxBufferedBytesPerReader': 'What may wait for a client that does not read.',
  'limits.maxReplayBytesPerSession':
    'What a session keeps for a client that lost its connection; an answer that it has no room for is replaced by an error.',
  'limits.maxReplayBytes':
    'What all sessions together keep for clients that lost their connection; the one that has kept nothing new for longest gives up first.',
  'limits.sessionIdleMs': 'Time after which a session without use is ended; after two minutes, if it never had any.',
  'limits.parkedCallTtlMs': 'Time after which a call that waits is given up.',
}

/** What a setting does, for the documentation, the API and the help of the command line. */
export function helpOf(name: SettingName): string {
  const { help }: Setting = settings[name]
  return help ?? limitHelp[name as keyof typeof limitHelp]
}
