import { z } from 'zod'
import * as contract from '../contract/index.ts'
import type { Operation } from '../contract/operations/operation.ts'
import { operations, type RouteKey } from '../contract/operations/table.ts'
import { version } from '../version.ts'
import { routeNeeds, scopedRoutes } from './permissions.ts'

export type Json = Record<string, unknown>

const PREFIX = '#/components/schemas/'

/** What a group of routes, named by the first part of their paths, is about. */
const groups: Readonly<Record<string, string>> = {
  auth: 'Sign in and out',
  roles: 'What each role may do',
  users: 'People who sign in to this hub',
  sessions: 'Who is signed in',
  access: 'What was given to people and programs',
  keys: 'Keys for MCP clients and programs',
  hub: 'The hub itself',
  config: 'The configuration as a whole',
  admin: 'Push a configuration to a hub that runs',
  backups: 'Archives of everything that the hub has',
  diagnostics: 'What to send with a report',
  settings: 'What system.json says of the hub',
  webhooks: 'Who is told of changes, and whether it arrived',
  events: 'What happens, as it happens',
  servers: 'The MCP servers',
  accounts: 'Accounts at remote servers',
  runtimes: 'What servers are started with',
  apps: 'Where apps of servers run',
  tools: 'Tools of all servers',
  calls: 'Answers to what servers ask during calls by hand',
  completions: 'Suggestions of servers for arguments',
  prompts: 'Prompts of all servers',
  resources: 'Resources of all servers',
  cases: 'Saved arguments of calls by hand',
  pins: 'Approved definitions of tools',
  profiles: 'Named sets of what clients get',
  secrets: 'The vault',
  history: 'Requests of MCP clients',
  stats: 'Figures of the history',
  metrics: 'Figures for Prometheus',
  audit: 'Administrative acts',
  publish: 'Bundles for production servers',
  'openapi.json': 'This description',
}

/**
 * The REST API as an OpenAPI 3.1 document, made of the table of routes, the table of permissions and the schemas that check
 * bodies and answers. `x-permission` is what the caller's role must grant; `x-scoped` marks what callers with a scope may use.
 */
export function openApiDocument(): Json {
  const schemas = new Map<string, Json>()
  const convert = createConverter(schemas)
  const paths: Record<string, Json> = {}
  for (const [route, operation] of Object.entries(operations) as [RouteKey, Operation][]) {
    const [method = '', path = ''] = route.split(' ')
    const template = path.replace(/:(\w+)/g, '{$1}')
    paths[template] = { ...paths[template], [method.toLowerCase()]: describe(route, operation, convert) }
  }
  const problem = convert(contract.problemSchema, 'output')
  // What the stream of events carries, which no media type can say.
  convert(contract.hubEventSchema, 'output')
  const used = [...new Set(Object.keys(operations).map(groupOf))]
  return {
    openapi: '3.1.0',
    info: {
      title: 'MCP Hub',
      version,
      summary: 'The REST API of the hub; its MCP endpoints are /mcp, /mcp/{server or profile} and /sse.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: used.map((name) => ({ name, description: groups[name] })),
    paths,
    components: {
      schemas: Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
      responses: {
        Problem: {
          description: 'What failed, where and what to do (RFC 9457); `code` is stable',
          content: { 'application/problem+json': { schema: problem } },
        },
      },
      securitySchemes: {
        bearer: {
          type: 'http',
          scheme: 'bearer',
          description: 'An API key, an access token of a session, or the hub’s own token',
        },
      },
    },
  }
}

const groupOf = (route: string): string => /^\w+ \/api\/([\w.]+)/.exec(route)?.[1] ?? ''

/** `inline` gives the schema itself where it is a component, too. */
type Convert = (schema: z.ZodType, io: 'input' | 'output', inline?: boolean) => Json

function describe(route: RouteKey, operation: Operation, convert: Convert): Json {
  const need = routeNeeds[route]
  const [, path = ''] = route.split(' ')
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const { answer, lines, status = 200 } = operation
  const success =
    answer === undefined
      ? { 204: { description: 'Done' } }
      : {
          [status]: {
            description: status === 201 ? 'Created' : 'Success',
            content:
              typeof answer === 'string'
                ? { [answer]: { schema: lines === undefined ? { type: 'string' } : convert(lines, 'output') } }
                : {
                    'application/json': { schema: convert(answer, 'output') },
                    ...(lines === undefined ? {} : { 'application/x-ndjson': { schema: convert(lines, 'output') } }),
                  },
          },
        }
  return {
    tags: [groupOf(route)],
    operationId: operationId(route),
    summary: operation.summary,
    ...(need === 'open' ? { security: [] } : { security: [{ bearer: [] }] }),
    'x-permission': need,
    ...(scopedRoutes.has(route) ? { 'x-scoped': true } : {}),
    ...parametersOf([
      ...inPath,
      ...(operation.query === undefined ? [] : inQuery(convert(operation.query, 'input', true))),
    ]),
    ...(operation.body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: convert(operation.body, 'input') } },
          },
        }),
    responses: { ...success, default: { $ref: '#/components/responses/Problem' } },
  }
}

const parametersOf = (parameters: readonly Json[]): Json => (parameters.length === 0 ? {} : { parameters })

function inQuery(schema: Json): Json[] {
  const required = new Set((schema['required'] as string[] | undefined) ?? [])
  return Object.entries((schema['properties'] ?? {}) as Record<string, Json>).map(([name, property]) => {
    const { description, ...rest } = property
    return {
      name,
      in: 'query',
      ...(required.has(name) ? { required: true } : {}),
      ...(description === undefined ? {} : { description }),
      schema: rest,
    }
  })
}

/** `POST /api/users/:name/unlock` is `postUsersUnlock`; what a parameter ends is `ByName`. */
function operationId(route: RouteKey): string {
  const [method = '', path = ''] = route.split(' ')
  const words = path
    .slice('/api/'.length)
    .split(/[/-]/)
    .map((part) => (part.startsWith(':') ? `By${capital(part.slice(1))}` : capital(part.replace('.json', ''))))
  return method.toLowerCase() + words.join('')
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

/**
 * Schemas of the contract become components under their own names, `toolEntrySchema` as `ToolEntry`; what a caller may write
 * differs from what the hub answers (defaults, for one), so that what is taken is `…Input`.
 */
function createConverter(components: Map<string, Json>): Convert {
  const named = new Map<z.ZodType, string>()
  for (const [key, value] of Object.entries(contract))
    if (value instanceof z.ZodType && key.endsWith('Schema') && !named.has(value))
      named.set(value, capital(key.slice(0, -'Schema'.length)))
  // All of them at once: each conversion walks through every schema of the contract.
  const converted = { input: convertAll('input', named), output: convertAll('output', named) }
  return (schema, io, inline = false) => {
    const all = converted[io]
    const id = idOf(schema, io, named)
    const root = !named.has(schema) || inline ? plain(all[id]) : { $ref: PREFIX + id }
    for (const reference of referencesIn(root)) keep(reference, all, components)
    return root
  }
}

/** Schemas that stand in one operation only, in the order of the operations. */
const unnamed = Object.values(operations).flatMap(({ body, query, answer, lines }: Operation) =>
  [body, query, answer, lines].filter((schema) => schema instanceof z.ZodType),
)

function idOf(schema: z.ZodType, io: 'input' | 'output', named: ReadonlyMap<z.ZodType, string>): string {
  const name = named.get(schema)
  return name === undefined ? `unnamed ${unnamed.indexOf(schema)}` : `${name}${io === 'input' ? 'Input' : ''}`
}

function convertAll(io: 'input' | 'output', named: ReadonlyMap<z.ZodType, string>): Record<string, Json> {
  const registry = z.registry<{ id: string }>()
  for (const schema of new Set([...named.keys(), ...unnamed])) registry.add(schema, { id: idOf(schema, io, named) })
  const suffix = io === 'input' ? 'Input' : ''
  const { schemas } = z.toJSONSchema(registry, {
    io,
    unrepresentable: 'any',
    uri: (id) => PREFIX + id,
    // An entry's kind is read from its keys by a function; here it is one of two.
    override: ({ zodSchema, jsonSchema }) => {
      if (zodSchema !== contract.serverConfigSchema) return
      jsonSchema.anyOf = ['StdioServer', 'RemoteServer'].map((kind) => ({ $ref: PREFIX + kind + suffix }))
    },
  })
  return schemas
}

function keep(name: string, all: Record<string, Json>, components: Map<string, Json>): void {
  if (components.has(name)) return
  const schema = plain(all[name])
  components.set(name, schema)
  for (const reference of referencesIn(schema)) keep(reference, all, components)
}

function plain(schema: Json | undefined): Json {
  const { $schema: _dialect, $id: _id, id: _name, ...rest } = schema ?? {}
  return rest
}

function referencesIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(referencesIn)
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) =>
    key === '$ref' && typeof inner === 'string' && inner.startsWith(PREFIX)
      ? [inner.slice(PREFIX.length)]
      : referencesIn(inner),
  )
}
