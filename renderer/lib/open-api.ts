import { z } from 'zod'
import { request } from './client.ts'

const contentSchema = z.object({ content: z.record(z.string(), z.object({ schema: z.unknown() })).optional() })

const operationSchema = z.object({
  tags: z.tuple([z.string()]),
  operationId: z.string(),
  summary: z.string(),
  parameters: z
    .array(
      z.object({
        name: z.string(),
        in: z.enum(['path', 'query']),
        required: z.boolean().optional(),
        schema: z.unknown(),
      }),
    )
    .optional(),
  requestBody: contentSchema.optional(),
  responses: z.record(z.string(), contentSchema),
  'x-permission': z.string(),
  'x-scoped': z.boolean().optional(),
})

/** `GET /api/openapi.json`: the parts of it that are shown. */
export const openApiSchema = z.object({
  tags: z.array(z.object({ name: z.string(), description: z.string() })),
  paths: z.record(z.string(), z.record(z.string(), operationSchema)),
  components: z.object({ schemas: z.record(z.string(), z.unknown()) }),
})
export type OpenApi = z.infer<typeof openApiSchema>

/** The document that the hub makes of its operations. */
export const readOpenApi = async (signal: AbortSignal): Promise<OpenApi> =>
  openApiSchema.parse(await request('GET /api/openapi.json', z.looseObject({}), { signal }))

/** An operation with its place in the document. */
export interface ApiOperation extends z.infer<typeof operationSchema> {
  method: string
  path: string
}

/** All operations in the document's order, by what they are about. */
export function operationGroups({
  tags,
  paths,
}: OpenApi): { name: string; title: string; operations: ApiOperation[] }[] {
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  )
  return tags.map(({ name, description }) => ({
    name,
    title: description,
    operations: all.filter(({ tags: [tag] }) => tag === name),
  }))
}

/** What a success answers: its status and, where there is a body, the media type and the schema. */
export function successOf(operation: ApiOperation): { status: string; type: string | null; schema: unknown } {
  const [status = '', answer] = Object.entries(operation.responses).find(([key]) => key !== 'default') ?? []
  const [type, content] = Object.entries(answer?.content ?? {})[0] ?? []
  return { status, type: type ?? null, schema: content?.schema }
}

/** The schema of the JSON body that an operation takes. */
export const bodyOf = (operation: ApiOperation): unknown => operation.requestBody?.content?.['application/json']?.schema
