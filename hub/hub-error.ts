import { errorCodes, type ErrorCode, type Fault, type Wordings } from './contract/index.ts'
import { told, type Said } from './say.ts'

/** An expected refusal of the REST API; the codes and their statuses stand in contract/errors.ts. */
export class HubError extends Error {
  readonly code: ErrorCode
  readonly cure: string | undefined
  readonly faults: Fault[] | undefined
  /** When to try again. */
  readonly retryAfterMs: number | undefined
  /** What `message` and `cure` were made of. */
  readonly said: Wordings | undefined
  constructor(
    code: ErrorCode,
    message: string | Said,
    more: { cure?: string | Said; faults?: Fault[]; retryAfterMs?: number } = {},
  ) {
    const { message: text, cure, said } = told({ message, cure: more.cure })
    super(text)
    this.code = code
    this.cure = cure
    this.faults = more.faults
    this.retryAfterMs = more.retryAfterMs
    this.said = said
  }
  get status(): number {
    return errorCodes[this.code]
  }
}
