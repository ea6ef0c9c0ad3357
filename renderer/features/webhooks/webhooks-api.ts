import { z } from 'zod'
import {
  restoredWebhookSchema,
  savedWebhookSchema,
  webhookDeliverySchema,
  webhookStatusSchema,
} from '../../../hub/contract/index.ts'
import type { BodyOf } from '../../../hub/contract/operations/table.ts'
import { perform, request } from '../../lib/client.ts'

export const webhooksApi = {
  list: (signal: AbortSignal) => request('GET /api/webhooks', z.array(webhookStatusSchema), { signal }),
  save: (id: string, body: BodyOf<'PUT /api/webhooks/:id'>, ifMatch?: string) =>
    request('PUT /api/webhooks/:id', savedWebhookSchema, { params: { id }, body, ifMatch }),
  remove: (id: string, ifMatch: string) => perform('DELETE /api/webhooks/:id', { params: { id }, ifMatch }),
  restore: (id: string) => request('POST /api/webhooks/:id/restore', restoredWebhookSchema, { params: { id } }),
  test: (id: string) => request('POST /api/webhooks/:id/test', webhookDeliverySchema, { params: { id } }),
}
