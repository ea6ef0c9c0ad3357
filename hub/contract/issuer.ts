import { z } from 'zod'
import { permissionSchema, roleSchema } from './scopes.ts'

const names = z.array(z.string().min(1).max(200)).max(1_000)
/** A claim, or one inside others: `realm_access.roles`. */
const claim = z.string().min(1).max(200)

/**
 * `auth.oauth` of system.json: the authorization server whose access tokens open this hub's MCP endpoints (OAuth 2.1, OpenID
 * Connect), and what its claims mean here.
 */
export const issuerSchema = z.strictObject({
  /** Exactly as the tokens' `iss` has it; its metadata is found from it. */
  issuer: z
    .string()
    .refine(isIssuer, 'issuer must be an https: URL without query or fragment (http: only on this computer)'),
  /** Audiences that are good everywhere on this hub, besides the endpoint's own URL; the only ones that open the REST API. */
  audience: z.array(z.string().min(1)).optional(),
  /** Signatures that are taken; none with a shared secret. */
  algorithms: z
    .array(
      z.enum(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519']),
    )
    .min(1)
    .optional(),
  /** The header `typ`; `at+jwt` (RFC 9068) unless the issuer writes another. */
  tokenType: z.enum(['at+jwt', 'JWT']).optional(),
  clockSkewSeconds: z.number().int().min(0).max(300).optional(),
  /** What each OAuth scope allows here, at most what the role may. Without it a scope named as a permission stands for it. */
  scopes: z.record(z.string().regex(/^\S+$/, 'a scope has no spaces'), z.array(permissionSchema)).optional(),
  /** Roles by the values of a claim; of several the highest. */
  roles: z
    .strictObject({
      claim,
      values: z.record(z.string(), roleSchema),
      /** For who has none of the values; without it nobody gets in with none. */
      default: roleSchema.optional(),
    })
    .optional(),
  /** Profiles and servers by the values of a claim; whoever has none of the values sees nothing. */
  access: z
    .strictObject({
      claim,
      values: z.record(z.string(), z.strictObject({ profiles: names.optional(), servers: names.optional() })),
    })
    .optional(),
})
export type IssuerSettings = z.infer<typeof issuerSchema>

function isIssuer(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, hostname, search, hash, username, password } = new URL(value)
  const local = ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
  return (protocol === 'https:' || (protocol === 'http:' && local)) && search + hash + username + password === ''
}
