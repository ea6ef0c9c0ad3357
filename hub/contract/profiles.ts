import { z } from 'zod'
import { serverNameSchema } from './config.ts'

/** Names, or patterns in which `*` stands for any characters. */
const patterns = z.array(z.string().min(1).max(200)).max(5_000)

/** What of one kind a profile shows of a server; without any key, all of it. */
export const selectionSchema = z.strictObject({
  /** An item must match one of these. */
  include: patterns.optional(),
  /** An item that matches one of these is left out, whatever `include` says. */
  exclude: patterns.optional(),
})
export type Selection = z.infer<typeof selectionSchema>

/** The names that every client accepts for a tool. */
export const exposedNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'a name has 1 to 64 characters of A–Z, a–z, 0–9, _ and -')

const itemOverride = {
  name: exposedNameSchema.optional(),
  title: z.string().max(200).optional(),
  description: z.string().max(20_000).optional(),
  /** Hash of the server's definition when this was written: when it is another now, the item has changed upstream. */
  basis: z.string().optional(),
}
export const toolOverrideSchema = z.strictObject({
  ...itemOverride,
  annotations: z
    .strictObject({
      title: z.string().max(200).optional(),
      readOnlyHint: z.boolean().optional(),
      destructiveHint: z.boolean().optional(),
      idempotentHint: z.boolean().optional(),
      openWorldHint: z.boolean().optional(),
    })
    .optional(),
})
export type ToolOverride = z.infer<typeof toolOverrideSchema>
export const promptOverrideSchema = z.strictObject(itemOverride)

export const profileServerSchema = z.strictObject({
  tools: selectionSchema
    .extend({
      /** Only tools whose annotations say that they change nothing. */
      readOnly: z.boolean().optional(),
      overrides: z.record(z.string(), toolOverrideSchema).optional(),
    })
    .optional(),
  prompts: selectionSchema.extend({ overrides: z.record(z.string(), promptOverrideSchema).optional() }).optional(),
  resources: selectionSchema.optional(),
})
export type ProfileServer = z.infer<typeof profileServerSchema>

/** A named set of servers and of what they offer, with an endpoint of its own: `/mcp/<name>`. */
export const profileSchema = z.strictObject({
  description: z.string().max(500).optional(),
  servers: z.record(serverNameSchema, profileServerSchema),
  /** Servers that are not named, also those that are added later, belong to it with all they have. */
  otherServers: z.boolean().optional(),
  /** Instead of all tools a client gets `search_tools`, `describe_tool`, `call_tool` and `hub_status`. */
  toolSearch: z.boolean().optional(),
})
export type Profile = z.infer<typeof profileSchema>

/** `profiles.json`. */
export const profilesFileSchema = z.strictObject({
  $schema: z.string().optional(),
  profiles: z.record(serverNameSchema, profileSchema),
})
export type ProfilesFile = z.infer<typeof profilesFileSchema>

/** What an item is for a client, as far as a profile decides it. */
export const shownItemSchema = z.object({
  server: z.string(),
  /** Name (or URI) that the server gave it. */
  name: z.string(),
  /** Name (or URI) that clients see. */
  exposedName: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  /** Tokens that its definition costs in a client's context; 0 for resources, which cost nothing until read. */
  tokens: z.number().int(),
  /** Fields that the profile overrides. */
  overridden: z.array(z.string()),
  /** The server's definition is another than the one that was overridden. */
  changedUpstream: z.boolean(),
})
export type ShownItem = z.infer<typeof shownItemSchema>

/** `GET /api/profiles/:name/preview` and `POST /api/profiles/preview`: exactly what a client gets. */
export const profilePreviewSchema = z.object({
  tools: z.array(shownItemSchema),
  prompts: z.array(shownItemSchema),
  resources: z.array(shownItemSchema),
  /** Tokens of all that a client puts into its context: the tools, or with tool search the four meta-tools. */
  tokens: z.number().int(),
  /** The same without tool search. */
  tokensOfAll: z.number().int(),
  /** Names that two items would share; such a profile is refused when it is saved. */
  collisions: z.array(z.object({ exposedName: z.string(), items: z.array(z.string()) })),
  /** How many tools of each server. */
  toolCounts: z.record(z.string(), z.number().int()),
})
/** With `server`, only its items are listed; the sums are those of the whole profile. */
export const profilePreviewQuerySchema = z.strictObject({ server: z.string().optional() })
export type ProfilePreview = z.infer<typeof profilePreviewSchema>

export const profileSummarySchema = z.object({
  name: z.string(),
  endpointPath: z.string(),
  config: profileSchema,
  /** Of `config`, for `If-Match`. */
  etag: z.string(),
  counts: z.object({
    servers: z.number().int(),
    tools: z.number().int(),
    prompts: z.number().int(),
    resources: z.number().int(),
  }),
  tokens: z.number().int(),
  tokensOfAll: z.number().int(),
})
export type ProfileSummary = z.infer<typeof profileSummarySchema>

/** `PUT /api/profiles/:name`: creates or replaces; with `name` it is renamed. */
export const saveProfileSchema = z.strictObject({ name: serverNameSchema.optional(), config: profileSchema })
