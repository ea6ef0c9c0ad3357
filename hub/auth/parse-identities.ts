import { z } from 'zod'
import { parseJsonc, type Parsed } from '../config/jsonc.ts'
import { permissionSchema, roleSchema, scopeSchema, userNameSchema, type Fault } from '../contract/index.ts'
import { idOf, type Identities } from './identity-entries.ts'

const userEntrySchema = z.strictObject({
  name: userNameSchema,
  /** As bcrypt writes it, by whatever program. */
  passwordHash: z.string().regex(/^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/, 'passwordHash must be a bcrypt hash'),
  role: roleSchema,
  disabled: z.boolean().optional(),
  scope: scopeSchema.optional(),
  mustChangePassword: z.boolean().optional(),
  createdAt: z.number().int().optional(),
  passwordChangedAt: z.number().int().optional(),
})

const keyEntrySchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{12}$/),
  name: z.string().min(1).max(100),
  /** SHA-256 of the secret, which is too long to be guessed. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  owner: z.string().nullable(),
  permissions: z.array(permissionSchema),
  scope: scopeSchema.optional(),
  createdAt: z.number().int(),
  expiresAt: z.number().int().optional(),
})

export const identitySchema = z.strictObject({
  $schema: z.string().optional(),
  users: z.array(userEntrySchema).default([]),
  keys: z.array(keyEntrySchema).default([]),
})

/** `users.json` as text. */
export function parseIdentities(text: string, file: string): Parsed<Identities> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const result = identitySchema.safeParse(parsed.value.value)
  const fault = (path: string, message: string, cure: string): Fault => ({
    file,
    path,
    line: null,
    column: null,
    message,
    cure,
  })
  if (!result.success) {
    const cure = 'Correct users.json; mcp-hub user passwd makes a hash.'
    return {
      ok: false,
      faults: result.error.issues.map((issue) => fault(issue.path.map(String).join('.'), issue.message, cure)),
    }
  }
  for (const list of ['users', 'keys'] as const) {
    const ids = result.data[list].map(idOf)
    const twice = ids.find((id, at) => ids.indexOf(id) !== at)
    if (twice !== undefined)
      return { ok: false, faults: [fault(list, `${twice} is there twice`, 'Remove one of them.')] }
  }
  return { ok: true, value: result.data }
}
