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

/** That somebody used a server, or one of its tools, on an endpoint. */
export interface Use {
  principal: string
  endpoint: string
  server: string | null
  /** Null for whatever else than calling a tool. */
  tool: string | null
}

/** Where requests and administrative acts are kept: SQLite or PostgreSQL, with the same behaviour. */
export interface HistoryStore {
  /** All of it or nothing. */
  appendRequests: (requests: readonly NewRequest[], traffic: readonly TrafficRow[]) => Promise<void>
  /** Newest first. */
  findRequests: (filter: HistoryFilter, paging: Paging) => Promise<RequestRecord[]>
  /** When each tool of each server was called last, as far as the history goes back; with a principal, by that one. */
  lastCalls: (principal?: string) => Promise<ToolUse[]>
  /** What each principal used since then, each once. */
  usesSince: (from: number) => Promise<Use[]>
  /** When the oldest request that is kept came in; null while there is none. */
  oldest: () => Promise<number | null>
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
