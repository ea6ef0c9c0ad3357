import { z } from 'zod'
import { pinStateSchema, toolWarningKindSchema } from './pins.ts'

const annotationsSchema = z.record(z.string(), z.unknown())

/** One tool of one server. Schemas are the server's own JSON, untouched. */
export const toolEntrySchema = z.object({
  server: z.string(),
  name: z.string(),
  /** Its name on the aggregated endpoint `/mcp`. */
  exposedName: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  /** Left out where a list was asked for without schemas, like the output schema. */
  inputSchema: z.unknown().optional(),
  outputSchema: z.unknown().optional(),
  annotations: annotationsSchema.nullable(),
  /** Whether its definition is the one that was approved. */
  pin: pinStateSchema,
  /** Hash of its definition, for an approval of what was listed; null where it is the approved one. */
  hash: z.string().nullable(),
  /** What of its definition is worth a look; `GET /api/servers/:name/tools/:tool/pin` says where. */
  warnings: z.array(toolWarningKindSchema),
  /** Its user interface (MCP Apps), and who may call it: an app only what is visible to it. */
  ui: z.object({ resourceUri: z.string().nullable(), visibility: z.array(z.enum(['model', 'app'])) }),
  /** What its definition costs in a client's context. */
  tokens: z.number().int(),
})
export type ToolEntry = z.infer<typeof toolEntrySchema>
/** A tool as a list shows it. Schemas are most of what thousands of tools weigh. */
export type ListedTool = Omit<ToolEntry, 'inputSchema' | 'outputSchema'>

/** `GET /api/tools`; together, `server` and `name` ask for one. */
export const toolsQuerySchema = z.strictObject({
  server: z.string().optional(),
  name: z.string().optional(),
  schemas: z.enum(['true', 'false']).default('true'),
  /** Only tools whose definition is not the approved one. */
  pin: z.literal('unapproved').optional(),
})

export const promptEntrySchema = z.object({
  server: z.string(),
  name: z.string(),
  exposedName: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  arguments: z.array(z.object({ name: z.string(), description: z.string().nullable(), required: z.boolean() })),
})
export type PromptEntry = z.infer<typeof promptEntrySchema>

export const resourceEntrySchema = z.object({
  server: z.string(),
  uri: z.string(),
  template: z.boolean(),
  name: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  mimeType: z.string().nullable(),
})
export type ResourceEntry = z.infer<typeof resourceEntrySchema>
