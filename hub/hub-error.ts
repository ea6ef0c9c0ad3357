import { errorCodes, type ErrorCode, type Fault } from './contract/index.ts'

/** An expected refusal of the REST API; the codes and their statuses stand in contract/errors.ts. */
export class HubError extends Error {
  readonly code: ErrorCode
  readonly cure: string | undefined
  readonly faults: Fault[] | undefined
  constructor(code: ErrorCode, message: string, more: { cure?: string; faults?: Fault[] } = {}) {
    super(message)
    this.code = code
    this.cure = more.cure
    this.faults = more.faults
  }
  get status(): number {
    return errorCodes[this.code]
  }
}
