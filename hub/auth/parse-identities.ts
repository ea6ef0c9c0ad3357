import { z } from 'zod'
import { fault, parseJsonc, positionOf, type Parsed, type Position } from '../config/jsonc.ts'
import { faultsOf, UNKNOWN_KEY_CURE } from '../config/schema-faults.ts'
import { permissionSchema, roleSchema, scopeSchema, userNameSchema, type Fault } from '../contract/index.ts'
import { say, told } from '../say.ts'
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
  /** Whether its clients find tools by search; without it as the profile says. */
  toolSearch: z.boolean().optional(),
  /** What it is good for besides what its permissions say; see keys.ts. */
  purpose: z.enum(['enrolment', 'deploy']).optional(),
  /** How long the key will be good that an enrolment is exchanged for. */
  days: z.number().int().positive().optional(),
})

export const identitySchema = z.strictObject({
  $schema: z.string().optional(),
  users: z.array(userEntrySchema).default([]),
  keys: z.array(keyEntrySchema).default([]),
})

/** `users.json` as text. Nothing in it is a reference: a hash is no secret that opens a door. */
export function parseIdentities(text: string, file: string): Parsed<Identities> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const { root, value } = parsed.value
  const where = (path: (string | number)[]): Position => positionOf(text, root, path)
  const result = identitySchema.safeParse(value)
  if (!result.success)
    return { ok: false, faults: faultsOf(result.error, [], identitySchema, file, where).map(withCure) }
  const faults = (['users', 'keys'] as const).flatMap((list) => {
    const ids = result.data[list].map(idOf)
    const at = ids.findIndex((id, index) => ids.indexOf(id) !== index)
    if (at === -1) return []
    const path = [list, at, list === 'users' ? 'name' : 'id']
    return [fault(file, path, where(path), say`${String(ids[at])} is there twice`, say`Remove one of them.`)]
  })
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: result.data }
}

function withCure(found: Fault): Fault {
  if (found.path.endsWith('.passwordHash'))
    return told({ ...found, cure: say`Make one with: mcp-hub user passwd NAME, or htpasswd -B.` })
  // Hubs write this file themselves: what one does not know is seldom a slip of a person.
  if (found.said?.['cure']?.code === UNKNOWN_KEY_CURE)
    return told({
      ...found,
      cure: say`Remove it, or correct its spelling. If a newer version of the hub wrote it, start that version again, or restore a backup from before the upgrade.`,
    })
  return found
}
