/** What a hub tells of itself. */
export const webhookEvents = [
  'hub.started',
  'hub.draining',
  'server.failed',
  'server.needs-auth',
  'server.recovered',
  'tools.changed',
  'auth.lockout',
  'config.invalid',
] as const
export type WebhookEvent = (typeof webhookEvents)[number]
/** Sent by `POST /api/webhooks/:id/test` only. */
export const WEBHOOK_TEST = 'webhook.test'
