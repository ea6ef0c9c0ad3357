import { z } from 'zod'
import { identitySchema } from '../auth/parse-identities.ts'
import {
  profilesFileSchema,
  remoteServerSchema,
  serversFileSchema,
  stdioServerSchema,
  systemFileSchema,
} from '../contract/index.ts'

export const schemaNames = ['servers', 'system', 'profiles', 'users'] as const
export type SchemaName = (typeof schemaNames)[number]

/** Where they are published, for `$schema` in a file; every hub serves them at `/schemas/` too. */
const BASE = 'https://mcphub.dev/schemas'

const titles: Readonly<Record<SchemaName, string>> = {
  servers: 'servers.json of MCP Hub: the MCP servers',
  system: 'system.json of MCP Hub: the settings of the hub',
  profiles: 'profiles.json of MCP Hub: named sets of servers and tools',
  users: 'users.json of MCP Hub: users and keys',
}

/** An entry's kind is read from its keys by a function, which a JSON Schema cannot say; there it is one of two. */
const published: Readonly<Record<SchemaName, z.ZodType>> = {
  servers: serversFileSchema.extend({
    mcpServers: z.record(z.string(), z.union([stdioServerSchema, remoteServerSchema])),
  }),
  system: systemFileSchema,
  profiles: profilesFileSchema,
  users: identitySchema,
}

/** The JSON Schema (2020-12) of a configuration file, made from what the hub itself checks it with. */
export function jsonSchemaOf(name: SchemaName): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(published[name], { io: 'input', unrepresentable: 'any' })
  const body = name === 'system' ? allowReferences(schema) : schema
  return { $schema, $id: `${BASE}/${name}.json`, title: titles[name], ...(body as object) }
}

const systemSchema = (): unknown => z.toJSONSchema(systemFileSchema, { io: 'input', unrepresentable: 'any' })
let wholeSystem: unknown = null

/** The part of it that is about one setting, by its path in system.json. */
export function settingSchema(path: string): Record<string, unknown> {
  let schema = (wholeSystem ??= systemSchema())
  for (const key of path.split('.')) schema = (schema as { properties?: Record<string, unknown> }).properties?.[key]
  if (schema === undefined) throw new Error(`system.json has no ${path}`)
  return schema as Record<string, unknown>
}

/** `${NAME}` is no hostname and has no 32 characters, and yet it may stand where such a text is asked for. */
function allowReferences(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(allowReferences)
  if (typeof schema !== 'object' || schema === null) return schema
  const node = schema as Record<string, unknown>
  const narrow = ['minLength', 'maxLength', 'pattern', 'format', 'enum'].some((key) => key in node)
  if (node['type'] === 'string' && narrow) return { anyOf: [node, { type: 'string', pattern: '\\$\\{[^}]+\\}' }] }
  return Object.fromEntries(Object.entries(node).map(([key, inner]) => [key, allowReferences(inner)]))
}

/** As it lies in `renderer/public/schemas`, from where the hub, nginx and the app serve it. */
export const schemaText = (name: SchemaName): string => `${JSON.stringify(jsonSchemaOf(name), null, 2)}\n`
