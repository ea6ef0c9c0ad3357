import type { Reason, Wordings } from '../../contract/index.ts'
import { saidOf, say, told, type Said } from '../../say.ts'
import { UpstreamFailure } from '../channel.ts'

/** A sign-in that cannot begin or was not completed, with what to do. */
export class SignInFailure extends Error {
  readonly cure: string
  readonly said: Wordings | undefined
  constructor(message: Said, cure: Said) {
    super(message.text)
    this.cure = cure.text
    this.said = told({ message, cure }).said
  }
}

/** The server signs in elsewhere than before; credentials are not carried over, and a person has to agree. */
export class IssuerChanged extends SignInFailure {
  readonly issuer: string
  constructor(from: string, to: string) {
    super(
      say`The server now signs in at ${to}, no longer at ${from}. Nothing of the old account is sent there.`,
      say`If you trust ${to}, sign in again and agree to it.`,
    )
    this.issuer = to
  }
}

export function needsSignIn(message: Said, cure = say`Sign in.`, detail?: string): Reason {
  return told({ code: 'needs-auth', message, cure, ...(detail === undefined ? {} : { detail }) })
}

export function unavailable(message: Said, detail?: string): Reason {
  return told({
    code: 'sign-in-unavailable',
    message,
    cure: say`The hub tries again by itself; the sign-in is kept.`,
    ...(detail === undefined ? {} : { detail }),
  })
}

/** What an error says of itself, and what to do. */
export function wordsOf(error: unknown, otherwise: Said): { message: string; cure: string; said?: Wordings } {
  if (error instanceof SignInFailure) return { message: error.message, cure: error.cure, ...saidOf(error) }
  return told({ message: error instanceof Error ? error.message : String(error), cure: otherwise })
}

/** Errors of OAuth that end a grant: no waiting cures them. */
const FINAL_CODES = new Set([
  'invalid_grant',
  'invalid_client',
  'unauthorized_client',
  'invalid_scope',
  'invalid_target',
  'invalid_request',
  'access_denied',
  'unsupported_grant_type',
  'interaction_required',
  'login_required',
  'consent_required',
])

export interface TokenAnswer {
  /** HTTP status of the token endpoint; 0 without an answer. */
  status: number
  retryAfterMs: number | null
}

/** Whether a refusal of the token endpoint is about the grant, not about the moment. A busy or broken one says nothing of it. */
export function isFinal(error: unknown, answer: TokenAnswer): boolean {
  if (answer.status === 429 || answer.status >= 500) return false
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' && FINAL_CODES.has(code)
}

/** Seconds or a date, as `Retry-After` has it. */
export function retryAfterMs(value: string | null, now: number): number | null {
  if (value === null) return null
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now
  return Number.isNaN(ms) ? null : Math.max(0, ms)
}

export function failureOf(reason: Reason): UpstreamFailure {
  return new UpstreamFailure(reason)
}

/** What a service wrote, as one short line: it is shown to people and kept in logs. */
export function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
    .slice(0, 300)
}

export function messageOf(error: unknown): string {
  return oneLine(error instanceof Error ? error.message : String(error))
}
