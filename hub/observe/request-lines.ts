import type { NewRequest } from '../history/tables.ts'
import type { Log } from './log.ts'

/** A line for each MCP request, as the history has it but without what was asked and answered. */
export function logRequests(log: Log, requests: readonly NewRequest[]): void {
  for (const { requestId, principal, client, endpoint, server, method, name, durationMs, outcome, traceId } of requests)
    log('debug', 'MCP request', {
      requestId,
      principal,
      client,
      endpoint,
      server,
      method,
      name,
      durationMs: Math.round(durationMs * 100) / 100,
      outcome,
      traceId,
    })
}
