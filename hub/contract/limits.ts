const MiB = 1_048_576

/** `limits` of `system.json`: what bounds clients and servers. Each error names the setting that it met. */
export const limitDefaults = {
  /** Body of one request of a client. */
  maxRequestBytes: 4 * MiB,
  /** One answer of a server. */
  maxResponseBytes: 16 * MiB,
  /** One line on a server's stdout. */
  maxStdioLineBytes: 16 * MiB,
  /** All headers of one request of a client. */
  maxHeaderBytes: 32_768,
  /** Connections of clients at once. */
  maxConnections: 10_000,
  /** Those of one address, unless it is a proxy of ours. */
  maxConnectionsPerAddress: 2_000,
  /** Time for the headers of a request, and for all that is sent of it. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 60_000,
  maxNestingDepth: 256,
  /** Messages of one batch, which only clients of 2025-03-26 send. */
  maxBatchMessages: 100,
  maxSessions: 10_000,
  maxSessionsPerPrincipal: 5_000,
  /** What a client says of itself and what it can do, which is kept with its session and with what it is offered. */
  maxClientBytes: 65_536,
  /** Open subscriptions of modern clients. */
  maxListens: 2_048,
  maxListensPerPrincipal: 1_024,
  /** Resources that one key or user subscribed to, in all sessions and open subscriptions together. */
  maxSubscriptionsPerPrincipal: 10_000,
  /** URI of one of them, which is kept for as long as it lasts. */
  maxSubscriptionUriBytes: 8_192,
  /** Calls that wait for the client's next round. */
  maxParkedCalls: 1_024,
  maxCallsPerClient: 1_000,
  /** For servers whose entry does not say `hub.maxConcurrentCalls`. */
  maxCallsPerServer: 1_000,
  /** For servers whose entry does not say `hub.maxQueuedCalls`. */
  maxQueuedCallsPerServer: 1_000,
  /** For servers whose entry does not say `hub.maxInstances`. */
  maxInstancesPerServer: 64,
  /** What may wait for a client that does not read. */
  maxBufferedBytesPerReader: 32 * MiB,
  /** What one legacy session keeps for a client that lost its connection and asks for the rest. */
  maxReplayBytesPerSession: 16 * MiB,
  /** The same of all sessions together. */
  maxReplayBytes: 256 * MiB,
  sessionIdleMs: 60 * 60_000,
  parkedCallTtlMs: 5 * 60_000,
}
export type Limits = typeof limitDefaults
