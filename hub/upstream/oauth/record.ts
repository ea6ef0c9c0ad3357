import { z } from 'zod'
import { reasonSchema, wordingsSchema } from '../../contract/index.ts'

/** What authorization servers answered is kept as it came. */
const document = z.looseObject({})

const tokensSchema = z.looseObject({
  access_token: z.string(),
  token_type: z.string(),
  refresh_token: z.string().optional(),
  id_token: z.string().optional(),
  scope: z.string().optional(),
  /** The only authorization server that they may be sent to. */
  issuer: z.string(),
  obtainedAt: z.number(),
  expiresAt: z.number().nullable(),
})
export type KeptTokens = z.infer<typeof tokensSchema>

const discoverySchema = z.object({
  authorizationServerUrl: z.string(),
  resourceMetadataUrl: z.string().optional(),
  authorizationServerMetadata: document,
  resourceMetadata: document.optional(),
})
export type KeptDiscovery = z.infer<typeof discoverySchema>

/** A sign-in that was begun; its answer may come to another process than the one that began it. */
const pendingSchema = z.object({
  stateHash: z.string(),
  /** Hash of the cookie that the browser which began it was given; null when it was no browser. */
  browserHash: z.string().nullable(),
  codeVerifier: z.string(),
  redirectUrl: z.string(),
  url: z.string(),
  scope: z.string().nullable(),
  discovery: discoverySchema,
  expiresAt: z.number(),
})
export type PendingSignIn = z.infer<typeof pendingSchema>

const clientSchema = z.object({ redirectUrl: z.string(), information: z.looseObject({ client_id: z.string() }) })
export type KeptClient = z.infer<typeof clientSchema>

/** Everything that is kept of one account. */
export const recordSchema = z.object({
  version: z.literal(1),
  server: z.string(),
  /** URL of the server that the tokens are for: an entry that points elsewhere does not get them. */
  url: z.string(),
  /** The authorization server of the last sign-in. */
  issuer: z.string().nullable(),
  /** Registrations of the hub, by authorization server. */
  clients: z.record(z.string(), clientSchema),
  discovery: discoverySchema.nullable(),
  tokens: tokensSchema.nullable(),
  /** Scopes that the server asked for beyond those granted. */
  wantedScope: z.string().nullable(),
  who: z.string().nullable(),
  signedInAt: z.number().nullable(),
  lastRefreshAt: z.number().nullable(),
  lastError: z
    .object({ at: z.number(), message: z.string(), cure: z.string(), said: wordingsSchema.optional() })
    .nullable(),
  /** Why a person must sign in. */
  reason: reasonSchema.nullable(),
  pending: pendingSchema.nullable(),
})
export type AccountRecord = z.infer<typeof recordSchema>

export function emptyRecord(server: string, url: string): AccountRecord {
  return {
    version: 1,
    server,
    url,
    issuer: null,
    clients: {},
    discovery: null,
    tokens: null,
    wantedScope: null,
    who: null,
    signedInAt: null,
    lastRefreshAt: null,
    lastError: null,
    reason: null,
    pending: null,
  }
}
