import type { Generated } from 'kysely'
import type { AuditEntry, Outcome, RequestDetail, Role } from '../contract/index.ts'

/** The tables of history and audit, the same in SQLite and PostgreSQL. Times are milliseconds since the epoch. */
export interface HistoryTables {
  hub_requests: {
    id: Generated<number>
    at: number
    duration_ms: number
    principal: string
    client: string | null
    endpoint: string
    server: string | null
    method: string
    name: string | null
    bytes_in: number
    bytes_out: number
    outcome: Outcome
    error_code: number | null
    error_message: string | null
    trace_id: string | null
    request: string | null
    response: string | null
    request_id: string | null
    waited_ms: number | null
    sent_ms: number | null
    notified_ms: number | null
    replied_ms: number | null
    notifications: number | null
    first_byte_ms: number | null
    asked_ms: number | null
    client_ms: number | null
  }
  hub_traffic: TrafficRow
}

/** Calls that fell into the same span of time, server, client and span of duration: statistics outlast the requests' retention. */
export interface TrafficRow {
  /** Seconds of the span that starts at `at`. */
  step: number
  at: number
  server: string
  client: string
  principal: string
  /** Index into the bounds of durations. */
  bucket: number
  calls: number
  errors: number
  bytes_in: number
  bytes_out: number
  last_at: number
}

export interface AuditTables {
  hub_audit: {
    seq: number
    at: number
    actor: string
    actor_name: string
    role: Role | null
    address: string | null
    action: string
    target: string | null
    outcome: AuditEntry['outcome']
    status: number | null
    details: string | null
    request_id: string | null
    hash: string
  }
}

export type RequestsRow = Omit<HistoryTables['hub_requests'], 'id'> & { id: number }
export type AuditRow = AuditTables['hub_audit']

/** In the order in which `requestValues` gives them. */
export const requestColumns = [
  'at',
  'duration_ms',
  'principal',
  'client',
  'endpoint',
  'server',
  'method',
  'name',
  'bytes_in',
  'bytes_out',
  'outcome',
  'error_code',
  'error_message',
  'trace_id',
  'request',
  'response',
  'request_id',
  'waited_ms',
  'sent_ms',
  'notified_ms',
  'replied_ms',
  'notifications',
  'first_byte_ms',
  'asked_ms',
  'client_ms',
] as const

/** A request as it is written: what came from outside is bounded and clean. */
export type NewRequest = Omit<RequestDetail, 'id'>

export function requestValues(request: NewRequest): (string | number | null)[] {
  return [
    request.at,
    Math.round(request.durationMs * 100) / 100,
    request.principal,
    request.client,
    request.endpoint,
    request.server,
    request.method,
    request.name,
    request.bytesIn,
    request.bytesOut,
    request.outcome,
    request.errorCode,
    request.errorMessage,
    request.traceId,
    request.request,
    request.response,
    request.requestId,
    request.waitedMs,
    request.sentMs,
    request.notifiedMs,
    request.repliedMs,
    request.notifications,
    request.firstByteMs,
    request.askedMs,
    request.clientMs,
  ]
}

export function toRequest(row: Omit<RequestsRow, 'request' | 'response'>): Omit<RequestDetail, 'request' | 'response'> {
  return {
    id: row.id,
    at: row.at,
    durationMs: row.duration_ms,
    principal: row.principal,
    client: row.client,
    endpoint: row.endpoint,
    server: row.server,
    method: row.method,
    name: row.name,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    outcome: row.outcome,
    errorCode: row.error_code,
    errorMessage: row.error_message,
    traceId: row.trace_id,
    requestId: row.request_id,
    waitedMs: row.waited_ms,
    sentMs: row.sent_ms,
    notifiedMs: row.notified_ms,
    repliedMs: row.replied_ms,
    notifications: row.notifications,
    firstByteMs: row.first_byte_ms,
    askedMs: row.asked_ms,
    clientMs: row.client_ms,
  }
}

export function toAuditEntry(row: AuditRow): AuditEntry {
  return {
    seq: row.seq,
    at: row.at,
    actor: row.actor,
    actorName: row.actor_name,
    role: row.role,
    address: row.address,
    action: row.action,
    target: row.target,
    outcome: row.outcome,
    status: row.status,
    details: row.details,
    requestId: row.request_id,
    hash: row.hash,
  }
}

export function toAuditRow(entry: AuditEntry): AuditRow {
  return {
    seq: entry.seq,
    at: entry.at,
    actor: entry.actor,
    actor_name: entry.actorName,
    role: entry.role,
    address: entry.address,
    action: entry.action,
    target: entry.target,
    outcome: entry.outcome,
    status: entry.status,
    details: entry.details,
    request_id: entry.requestId,
    hash: entry.hash,
  }
}
