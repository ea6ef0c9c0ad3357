import type {
  AuditEntry,
  AuditFilter,
  HistoryFilter,
  RequestDetail,
  RequestRecord,
  ToolUse,
} from '../contract/index.ts'
import type { AuditAct } from './audit-chain.ts'
import type { NewRequest, TrafficRow } from './tables.ts'

export interface HistoryLimits {
  maxRows: number
  maxBytes: number
  maxDays: number
  auditDays: number
}

export interface Paging {
  /** Only what is older than the record of this id. */
  before?: number | undefined
  limit: number
}

/** Where requests and administrative acts are kept: SQLite or PostgreSQL, with the same behaviour. */
export interface HistoryStore {
  /** All of it or nothing. */
  appendRequests: (requests: readonly NewRequest[], traffic: readonly TrafficRow[]) => Promise<void>
  /** Newest first. */
  findRequests: (filter: HistoryFilter, paging: Paging) => Promise<RequestRecord[]>
  /** When each tool of each server was called last, as far as the history goes back; with a principal, by that one. */
  lastCalls: (principal?: string) => Promise<ToolUse[]>
  findRequest: (id: number) => Promise<RequestDetail | null>
  /** The sums of spans that start at `from` or later. */
  traffic: (step: number, from: number) => Promise<TrafficRow[]>
  /** Appends to the chain; returns the entries as they stand in it. */
  appendAudit: (acts: readonly AuditAct[]) => Promise<AuditEntry[]>
  /** Newest first. */
  findAudit: (filter: AuditFilter, paging: Paging) => Promise<AuditEntry[]>
  /** The whole chain, oldest first. */
  auditChain: () => AsyncIterable<AuditEntry>
  /** Deletes what is beyond the limits, and does whatever else keeps the store quick. */
  maintain: (limits: HistoryLimits, now: number) => Promise<void>
  /** Rejects when the store cannot be reached. */
  ping: () => Promise<void>
  close: () => Promise<void>
}
