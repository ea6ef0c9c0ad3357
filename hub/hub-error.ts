import { errorCodes, type ErrorCode, type Fault } from './contract/index.ts'

/** An expected refusal of the REST API; the codes and their statuses stand in contract/errors.ts. */
export class HubError extends Error {
  readonly code: ErrorCode
  readonly cure: string | undefined
  readonly faults: Fault[] | undefined
  /** When to try again. */
  readonly retryAfterMs: number | undefined
  constructor(code: ErrorCode, message: string, more: { cure?: string; faults?: Fault[]; retryAfterMs?: number } = {}) {
    super(message)
    this.code = code
    this.cure = more.cure
    this.faults = more.faults
    this.retryAfterMs = more.retryAfterMs
  }
  get status(): number {
    return errorCodes[this.code]
  }
}
