import { z } from 'zod'
import { accountSchema } from './accounts.ts'
import { pushStatusSchema } from './config-push.ts'
import { hubStatusSchema } from './hub.ts'
import { logLineSchema, serverStatusSchema, usageSchema } from './servers.ts'

/**
 * `GET /api/events` (server-sent events). Each has an `id`; after a break the browser sends it as `Last-Event-ID` and gets
 * what it missed, or `resync` when that is no longer held: then everything must be read anew.
 * Everybody is told only what they may read over REST: of servers with `servers:read`, of pushes with `config:push`.
 * With `?logs=<server>` the stream also carries that server's `server.log`, with `?usage=1` a `server.usage` each second.
 */
export const hubEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('hub.changed'), hub: hubStatusSchema }),
  z.object({ type: z.literal('server.changed'), server: serverStatusSchema }),
  z.object({ type: z.literal('server.removed'), name: z.string() }),
  z.object({ type: z.literal('account.changed'), account: accountSchema }),
  z.object({
    type: z.literal('server.usage'),
    servers: z.array(
      z.object({
        name: z.string(),
        usage: usageSchema.nullable(),
        connections: z.number().int(),
        openStreams: z.number().int(),
      }),
    ),
  }),
  z.object({ type: z.literal('catalog.changed'), server: z.string() }),
  z.object({ type: z.literal('profiles.changed') }),
  /** A configuration was pushed, or what became of it was decided. */
  z.object({ type: z.literal('config.pushed'), push: pushStatusSchema }),
  z.object({ type: z.literal('server.log'), server: z.string(), lines: z.array(logLineSchema) }),
  /** Requests were recorded, at most once a second; `dropped` counts those that could not be written since the start. */
  z.object({ type: z.literal('history.appended'), count: z.number().int(), dropped: z.number().int() }),
  z.object({ type: z.literal('resync') }),
])
export type HubEvent = z.infer<typeof hubEventSchema>

export const eventsQuerySchema = z.strictObject({
  /** The server whose log the stream carries, too. */
  logs: z.string().optional(),
  usage: z.enum(['0', '1']).optional(),
})
