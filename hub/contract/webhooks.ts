import { z } from 'zod'
import { webhookEvents } from './webhook-events.ts'
import { wordingsSchema } from './wording.ts'

const KEY = /^whsec_[A-Za-z0-9+/]+={0,2}$/
const REFERENCE = /\$\{[^}]+\}/

/** An entry of `monitoring.webhooks` in system.json: who is told, and of what. */
export const webhookSchema = z.strictObject({
  url: z.string().refine(isWebUrl, 'url must be an http: or https: URL without credentials'),
  /** All of them when it is left out. */
  events: z.array(z.enum(webhookEvents)).min(1).optional(),
  /** Signs each message (https://www.standardwebhooks.com). A reference such as `${secret:OPS_WEBHOOK}` keeps it out of the file. */
  secret: z
    .string()
    .regex(
      new RegExp(`${KEY.source}|${REFERENCE.source}`),
      'secret must be whsec_ and a key in base64; make one with: echo "whsec_$(openssl rand -base64 32)"',
    )
    .refine(isLongEnough, 'the key in secret must have 24 to 64 bytes'),
  enabled: z.boolean().optional(),
  /** Whether the receiver may be in a private network, or speak plain http:. As `server.allowPrivateAddresses` where it is left out. */
  allowPrivateAddresses: z.boolean().optional(),
})
export type Webhook = z.infer<typeof webhookSchema>

export const webhookIdSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'a webhook is named by small letters, digits and -')
export const webhooksSchema = z.record(webhookIdSchema, webhookSchema)

/** `PUT /api/webhooks/:id`: what is left out stays as it is. A new one is told of everything, and the hub makes its key. */
export const saveWebhookSchema = z.strictObject({
  /** Without references, but for the one that stands there. */
  url: webhookSchema.shape.url,
  /** None: all of them. */
  events: z.array(z.enum(webhookEvents)).optional(),
  enabled: z.boolean().optional(),
  /** Null: as `server.allowPrivateAddresses`. Needs `servers:exec`. */
  allowPrivateAddresses: z.boolean().nullable().optional(),
  /** A key, which the vault takes; `new`: the hub makes one. */
  secret: z
    .string()
    .regex(new RegExp(`^new$|${KEY.source}`), 'secret must be new, or whsec_ and a key in base64')
    .refine(isLongEnough, 'the key in secret must have 24 to 64 bytes')
    .optional(),
})
export type SaveWebhook = z.infer<typeof saveWebhookSchema>

export const savedWebhookSchema = z.object({
  etag: z.string(),
  /** The key that the hub made; it is in this answer and nowhere else. */
  secret: z.string().nullable(),
})

/** `POST /api/webhooks/:id/restore` */
export const restoredWebhookSchema = savedWebhookSchema.pick({ etag: true })

/** One message to one receiver. */
export const webhookDeliverySchema = z.object({
  /** `webhook-id`, the same at each attempt. */
  id: z.string(),
  event: z.string(),
  at: z.number(),
  state: z.enum(['waiting', 'delivered', 'failed']),
  attempts: z.number().int(),
  /** Of the newest attempt; null where nothing answered. */
  status: z.number().int().nullable(),
  /** Why the newest attempt failed. */
  message: z.string().nullable(),
  durationMs: z.number().nullable(),
  nextAttemptAt: z.number().nullable(),
  said: wordingsSchema.optional(),
})
export type WebhookDelivery = z.infer<typeof webhookDeliverySchema>

/** `GET /api/webhooks` */
export const webhookStatusSchema = z.object({
  id: z.string(),
  /** As system.json has it. */
  url: z.string(),
  events: z.array(z.enum(webhookEvents)),
  enabled: z.boolean(),
  /** Null: as `server.allowPrivateAddresses`. */
  allowPrivateAddresses: z.boolean().nullable(),
  /** Why nothing is sent any more, though it is enabled. */
  stopped: z.string().nullable(),
  said: wordingsSchema.optional(),
  /** The newest first; since the hub started. */
  deliveries: z.array(webhookDeliverySchema),
  /** What a change of it names as If-Match. */
  etag: z.string(),
})
export type WebhookStatus = z.infer<typeof webhookStatusSchema>

function isWebUrl(value: string): boolean {
  if (REFERENCE.test(value)) return true
  if (!URL.canParse(value)) return false
  const { protocol, username, password } = new URL(value)
  return /^https?:$/.test(protocol) && username + password === ''
}

function isLongEnough(value: string): boolean {
  if (!KEY.test(value)) return true
  const bytes = Math.floor((value.replace(/^whsec_|=+$/g, '').length * 3) / 4)
  return bytes >= 24 && bytes <= 64
}
