import { z } from 'zod'
import { permissions, roles } from './permissions.ts'

export const roleSchema = z.enum(roles)
export const permissionSchema = z.enum(permissions)

const patterns = z.array(z.string().min(1).max(200)).max(1_000)

/**
 * What a user or a key is narrowed to; only what is named is there. Names, in which `*` stands for any characters. Without
 * a scope everything is.
 */
export const scopeSchema = z.strictObject({
  /** Servers by name. Their tools are reached on `/mcp`, `/mcp/<server>` and in the API. */
  servers: patterns.optional(),
  /** Profiles by name, each with all that it shows, on `/mcp/<profile>`. */
  profiles: patterns.optional(),
  /** Of those, only these tools, as `<server>/<tool>`; without it all of them. */
  tools: patterns.optional(),
})
export type Scope = z.infer<typeof scopeSchema>
