import { z } from 'zod'
import { permissionSchema, roleSchema, scopeSchema } from './scopes.ts'

export const userNameSchema = z
  .string()
  .min(1, 'a user needs a name')
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}/]+$/u, 'a user name has no / and no control characters')
  // Parts of an address that lead elsewhere, also when they are escaped.
  .refine((name) => name !== '.' && name !== '..', 'a user name may not be . or ..')
  .refine((name) => name.trim() === name, 'a user name does not begin or end with a space')
export const keyNameSchema = z
  .string()
  .trim()
  .min(1)
  .max(100)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, 'the name of a key has no control characters')
/** Unless `auth.passwordRules.minLength` says otherwise. */
export const MIN_PASSWORD_LENGTH = 12
const passwordSchema = z.string().min(1).max(1_000)

/** `POST /api/auth/login`. */
export const loginSchema = z.strictObject({ username: z.string().min(1).max(100), password: passwordSchema })

/**
 * What a sign-in answers. A browser gets its tokens in cookies that no script can read, and nothing here; other programs
 * get them here.
 */
export const sessionSchema = z.object({
  user: z.object({ name: z.string(), role: roleSchema }),
  /** Seconds until the access token ends. */
  expiresIn: z.number().int(),
  /** The password must be changed before anything else is allowed. */
  mustChangePassword: z.boolean(),
  accessToken: z.string().optional(),
  refreshToken: z.string().optional(),
})
export type Session = z.infer<typeof sessionSchema>

/** `POST /api/auth/refresh`: programs send the token that they got last, browsers their cookie. */
export const refreshSchema = z.strictObject({ refreshToken: z.string().max(200).optional() })

/** `POST /api/auth/setup`: creates the first admin with the one-time code that the hub printed. */
export const setupSchema = z.strictObject({
  code: z.string().max(100),
  username: userNameSchema,
  password: passwordSchema,
})

/** `POST /api/auth/password`: one's own; every other session of the user ends. */
export const changePasswordSchema = z.strictObject({ current: passwordSchema, next: passwordSchema })

/** `GET /api/auth/me`, open to all: tells the page which door to show. */
export const meSchema = z.object({
  /** Who asks; null when not signed in. */
  user: z.object({ name: z.string(), role: roleSchema }).nullable(),
  /** What the caller may do: what a page offers follows from it, and the hub refuses the rest in any case. */
  permissions: z.array(permissionSchema).default([]),
  mustChangePassword: z.boolean().default(false),
  /** Nobody is signed in, but `POST /api/auth/refresh` may go on where the last access token ended. */
  renewable: z.boolean().default(false),
  /** True when there is no user yet and a setup code is asked for. */
  setupNeeded: z.boolean(),
  mode: z.enum(['desktop', 'server']),
})
export type Me = z.infer<typeof meSchema>

/** One user, as administrators see it. */
export const userSchema = z.object({
  name: z.string(),
  role: roleSchema,
  disabled: z.boolean(),
  scope: scopeSchema.nullable(),
  mustChangePassword: z.boolean(),
  createdAt: z.number().nullable(),
  passwordChangedAt: z.number().nullable(),
  /** When they signed in, or a session of theirs went on; null where that is not known. */
  lastSeenAt: z.number().nullable(),
  /** Until when sign-ins with this name are refused, and from where; empty when they are not. */
  lockouts: z.array(z.object({ address: z.string(), until: z.number() })),
  sessions: z.number().int(),
})
export type User = z.infer<typeof userSchema>

/** `POST /api/users`. Without a password the hub makes one, answers it once, and asks the user to change it. */
export const createUserSchema = z.strictObject({
  name: userNameSchema,
  role: roleSchema,
  scope: scopeSchema.nullable().optional(),
  password: passwordSchema.optional(),
})
export const createdUserSchema = userSchema.extend({ initialPassword: z.string().optional() })

/** `PUT /api/users/:name` changes what is named. A change of role, scope or state ends the user's sessions. */
export const editUserSchema = z.strictObject({
  role: roleSchema.optional(),
  scope: scopeSchema.nullable().optional(),
  disabled: z.boolean().optional(),
})

/** `POST /api/users/:name/password`: sets another; without one the hub makes it. The user must change it. */
export const resetPasswordSchema = z.strictObject({ password: passwordSchema.optional() })

export const roleInfoSchema = z.object({ role: roleSchema, permissions: z.array(permissionSchema).readonly() })

/** One API key; its secret is shown once, when it is made. */
export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  /** How the key begins, so that it can be recognised. */
  prefix: z.string(),
  /** The user that it acts for, or null for the hub's own. It never may more than its owner. */
  owner: z.string().nullable(),
  permissions: z.array(permissionSchema),
  scope: scopeSchema.nullable(),
  /** Whether its clients find tools by search, on every endpoint; null: as the profile says. */
  toolSearch: z.boolean().nullable(),
  /** `deploy`: only pushes configurations; `enrolment`: a code that is exchanged once for such a key. */
  purpose: z.enum(['enrolment', 'deploy']).nullable(),
  createdAt: z.number(),
  expiresAt: z.number().nullable(),
  lastUsedAt: z.number().nullable(),
  lastUsedFrom: z.string().nullable(),
})
export type Key = z.infer<typeof keySchema>

/** `GET /api/access/unused` */
export const unusedQuerySchema = z.strictObject({
  days: z.coerce.number().int().min(1).max(9_999).default(90),
})
/** A user or a key that nobody used for that long. */
export const unusedGrantSchema = z.object({
  kind: z.enum(['user', 'key']),
  /** The name of a user, the id of a key. */
  id: z.string(),
  name: z.string(),
  /** Of a key; null for the hub's own, and for users. */
  owner: z.string().nullable(),
  /** Of a user. */
  role: roleSchema.nullable(),
  scope: scopeSchema.nullable(),
  createdAt: z.number().nullable(),
  /** Null when it never was, or that is not known. */
  lastUsedAt: z.number().nullable(),
})
export type UnusedGrant = z.infer<typeof unusedGrantSchema>

/** `GET /api/access/unused-scopes`: what users and keys may reach by name and never did. */
export const unusedScopeSchema = unusedGrantSchema
  .pick({ kind: true, id: true, name: true, owner: true })
  /** The servers, profiles and tools of its scope that it did not use, as the scope names them. */
  .extend({ unused: scopeSchema })
export type UnusedScope = z.infer<typeof unusedScopeSchema>
export const unusedScopesSchema = z.object({
  /** Since then: so many days ago, or later where the history begins later. Null while it has no request. */
  since: z.number().nullable(),
  grants: z.array(unusedScopeSchema),
})
export type UnusedScopes = z.infer<typeof unusedScopesSchema>

export const createKeySchema = z.strictObject({
  name: keyNameSchema,
  /** At most what the caller may; without it the key may connect to MCP endpoints and nothing else. */
  permissions: z.array(permissionSchema).min(1).optional(),
  scope: scopeSchema.nullable().optional(),
  /** Milliseconds since the epoch; null for never. */
  expiresAt: z.number().int().nullable().optional(),
  toolSearch: z.boolean().nullable().optional(),
})
export const createdKeySchema = keySchema.extend({ secret: z.string() })
export const editKeySchema = z.strictObject({
  name: keyNameSchema.optional(),
  scope: scopeSchema.nullable().optional(),
  expiresAt: z.number().int().nullable().optional(),
  toolSearch: z.boolean().nullable().optional(),
})

/** One sign-in of a user. */
export const sessionInfoSchema = z.object({
  id: z.string(),
  user: z.string(),
  createdAt: z.number(),
  usedAt: z.number(),
  endsAt: z.number(),
  address: z.string(),
  userAgent: z.string(),
  /** The one that asks. */
  current: z.boolean(),
})
export type SessionInfo = z.infer<typeof sessionInfoSchema>

/** `GET /api/sessions` */
export const sessionsQuerySchema = z.strictObject({
  /** Only one's own, also for who manages users. */
  user: z.literal('me').optional(),
})
