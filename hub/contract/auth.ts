import { z } from 'zod'
import { roleSchema } from './permissions.ts'

/** `POST /api/auth/login`. The answer sets an HttpOnly cookie for browsers and carries the same token for programs. */
export const loginSchema = z.strictObject({
  username: z.string().min(1).max(100),
  password: z.string().min(1).max(1_000),
})
export const sessionSchema = z.object({
  user: z.object({ name: z.string(), role: roleSchema }),
  /** Seconds until the access token ends. */
  expiresIn: z.number().int(),
  accessToken: z.string(),
})
export type Session = z.infer<typeof sessionSchema>

/** `POST /api/auth/setup`: creates the first admin with the one-time code that the hub printed. */
export const setupSchema = z.strictObject({
  code: z.string(),
  username: z.string().min(1).max(100),
  password: z.string().min(8).max(1_000),
})

/** `GET /api/auth/me`, open to all: tells the page which door to show. */
export const meSchema = z.object({
  /** Who asks; null when not signed in. */
  user: z.object({ name: z.string(), role: roleSchema }).nullable(),
  /** True when there is no user yet and a setup code is asked for. */
  setupNeeded: z.boolean(),
  mode: z.enum(['desktop', 'server']),
})
export type Me = z.infer<typeof meSchema>
