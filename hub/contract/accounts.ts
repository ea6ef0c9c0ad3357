import { z } from 'zod'
import { reasonSchema } from './servers.ts'
import { wordingsSchema } from './wording.ts'

/** The hub's account at one remote server (OAuth). Credentials themselves never leave the hub. */
export const accountSchema = z.object({
  /** Name of the server's entry; two accounts of one service are two entries. */
  server: z.string(),
  /** False when the entry was removed while its account was signed in. */
  configured: z.boolean(),
  state: z.enum(['signed-in', 'signed-out', 'needs-sign-in']),
  /** Who is signed in, where the service tells. */
  who: z.string().nullable(),
  /** The authorization server that the credentials are for, and no other. */
  issuer: z.string().nullable(),
  scopes: z.array(z.string()),
  /** Milliseconds since the epoch at which the access token ends; null when it has no end, or there is none. */
  expiresAt: z.number().nullable(),
  /** Whether the hub can renew it by itself. */
  renewable: z.boolean(),
  signedInAt: z.number().nullable(),
  lastRefreshAt: z.number().nullable(),
  /** What went wrong last, though it may have passed since. */
  lastError: z
    .object({ at: z.number(), message: z.string(), cure: z.string(), said: wordingsSchema.optional() })
    .nullable(),
  /** Why a person must sign in, in state `needs-sign-in`. */
  reason: reasonSchema.nullable(),
})
export type Account = z.infer<typeof accountSchema>

/** `POST /api/accounts/:server/sign-in` */
export const signInSchema = z.strictObject({
  /** The new authorization server, as HUB_ISSUER_CHANGED names it, once a person agreed to it. */
  acceptIssuer: z.string().max(2_000).optional(),
})
export const signInStartedSchema = z.object({
  /** To be opened in the browser of the person who signs in. */
  authorizationUrl: z.string(),
  /** Milliseconds since the epoch until which the answer is waited for. */
  expiresAt: z.number(),
})
export type SignInStarted = z.infer<typeof signInStartedSchema>

/** `POST /api/accounts/:server/sign-out` */
export const signedOutSchema = z.object({
  account: accountSchema,
  /** Whether the service took the credentials back; the hub has forgotten them in any case. */
  revoked: z.boolean(),
  message: z.string().nullable(),
  said: wordingsSchema.optional(),
})
export type SignedOut = z.infer<typeof signedOutSchema>
