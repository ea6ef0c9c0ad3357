import { messageOf } from './handshake.ts'

export interface SessionRenewalOptions {
  /** The handshake anew, and whatever follows from it. */
  renew: () => Promise<void>
  /** It failed: the server serves nobody any more. */
  onFailed: (error: unknown) => void
  inFlight: { get: (hop: number) => { renewed: boolean } | undefined }
  send: (hop: number) => void
  fail: (hop: number, message: string) => void
}

/** A legacy server forgets its session, e.g. when it restarts: a new one is begun once for all requests that met that. */
export interface SessionRenewal {
  /** Requests wait for the new session. */
  readonly isUnderWay: boolean
  /** `hop` names the request that met it; null when it was none. */
  lost: (hop: number | null) => void
  /** Sends a request once the new session is there. */
  sendAfter: (hop: number) => void
}

export function createSessionRenewal(options: SessionRenewalOptions): SessionRenewal {
  let renewing: Promise<void> | null = null

  async function renew(): Promise<void> {
    try {
      await options.renew()
    } catch (error) {
      options.onFailed(error)
      throw error
    } finally {
      renewing = null
    }
  }

  function sendAfter(hop: number): void {
    renewing?.then(
      () => options.send(hop),
      (error: unknown) => options.fail(hop, `The server forgot its session, and a new one failed: ${messageOf(error)}`),
    )
  }

  return {
    get isUnderWay() {
      return renewing !== null
    },
    // What was asked of a forgotten session was not done, so it is safe to ask again under a new one.
    lost: (hop) => {
      const entry = hop === null ? undefined : options.inFlight.get(hop)
      if (hop !== null && entry?.renewed === true) {
        options.fail(hop, 'The server does not know the session that it has just begun')
        return
      }
      if (entry !== undefined) entry.renewed = true
      if (renewing === null) {
        renewing = renew()
        // The requests that wait for it tell of its failure.
        renewing.catch(() => undefined)
      }
      if (hop !== null) sendAfter(hop)
    },
    sendAfter,
  }
}
