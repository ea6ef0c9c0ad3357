import type { Reason } from '../contract/index.ts'

export interface Challenge {
  /** 401, or 403 with `insufficient_scope`. */
  status: number
  wwwAuthenticate: string
  /** The value that was sent, or null. */
  sent: string | null
  /** The request was already sent again once. */
  retried: boolean
}

/** The credentials of the hub at one server, as a channel uses them. */
export interface Authorization {
  /** Value for the next request's `Authorization`, null without one. Rejects with UpstreamFailure when it cannot be had now. */
  header: () => string | null | Promise<string | null>
  /** What follows from a challenge: null when the request may be sent again, else why it may not. */
  challenged: (challenge: Challenge) => Promise<Reason | null>
}
