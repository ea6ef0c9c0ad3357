import { z } from 'zod'

/** Every error code that the REST API answers, with its HTTP status. Documented in docs/errors.md; a test keeps both in step. */
export const errorCodes = {
  HUB_BAD_REQUEST: 400,
  HUB_INVALID_CONFIG: 400,
  HUB_WEAK_PASSWORD: 400,
  HUB_UNAUTHENTICATED: 401,
  HUB_LOGIN_FAILED: 401,
  HUB_FORBIDDEN: 403,
  HUB_ORIGIN_REFUSED: 403,
  HUB_HOST_REFUSED: 403,
  HUB_PASSWORD_CHANGE_NEEDED: 403,
  HUB_EXEC_REFUSED: 403,
  HUB_NOT_FOUND: 404,
  HUB_SERVER_NOT_FOUND: 404,
  HUB_TOOL_NOT_FOUND: 404,
  HUB_PROFILE_NOT_FOUND: 404,
  HUB_SECRET_NOT_FOUND: 404,
  HUB_USER_NOT_FOUND: 404,
  HUB_KEY_NOT_FOUND: 404,
  HUB_SESSION_NOT_FOUND: 404,
  HUB_METHOD_NOT_ALLOWED: 405,
  HUB_CONFLICT: 409,
  HUB_SERVER_EXISTS: 409,
  HUB_NAME_COLLISION: 409,
  HUB_CONFIG_FILE_BROKEN: 409,
  HUB_ISSUER_CHANGED: 409,
  HUB_SECRET_IN_USE: 409,
  HUB_USER_EXISTS: 409,
  HUB_LAST_ADMIN: 409,
  HUB_BODY_TOO_LARGE: 413,
  HUB_UNSUPPORTED_MEDIA_TYPE: 415,
  HUB_RATE_LIMITED: 429,
  HUB_LOGIN_LOCKED: 429,
  HUB_INTERNAL: 500,
  HUB_SERVER_UNAVAILABLE: 502,
  HUB_UPSTREAM_ERROR: 502,
  HUB_SIGN_IN_FAILED: 502,
  HUB_SHUTTING_DOWN: 503,
  HUB_VAULT_UNAVAILABLE: 503,
  HUB_CONFIG_NOT_SAVED: 507,
  HUB_BUSY: 503,
  HUB_STORE_UNAVAILABLE: 503,
  HUB_ISSUER_UNAVAILABLE: 503,
  HUB_TIMEOUT: 504,
} as const

export type ErrorCode = keyof typeof errorCodes

/** One thing wrong in something a person wrote: where it is, what is wrong, and what to do. */
export const faultSchema = z.object({
  /** File path, or null when the value did not come from a file. */
  file: z.string().nullable(),
  /** Path inside the document, e.g. `mcpServers.github.command`; empty for the whole document. */
  path: z.string(),
  /** 1-based position in the file, when known. */
  line: z.number().int().nullable(),
  column: z.number().int().nullable(),
  message: z.string(),
  cure: z.string(),
})
export type Fault = z.infer<typeof faultSchema>

/** RFC 9457 problem+json, as every failing REST answer carries it. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
  cure: z.string().optional(),
  faults: z.array(faultSchema).optional(),
})
export type Problem = z.infer<typeof problemSchema>
