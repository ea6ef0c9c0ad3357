import { z } from 'zod'
import { createdKeySchema } from '../auth.ts'
import { backupContentsSchema, backupSchema, backupsSchema } from '../backups.ts'
import {
  enrolDeployKeySchema,
  enrolmentSchema,
  portableConfigSchema,
  pushConfigSchema,
  pushListSchema,
  pushQuerySchema,
  pushResultSchema,
  pushStatusSchema,
} from '../config-push.ts'
import { eventsQuerySchema } from '../events.ts'
import { cpuProfileOptionsSchema, cpuProfileSchema, hubStatusSchema, moveEndpointSchema } from '../hub.ts'
import { identityVersionDetailSchema, identityVersionsSchema } from '../identity-versions.ts'
import { configVersionDetailSchema, configVersionsSchema, restoreVersionSchema } from '../versions.ts'
import {
  restoredWebhookSchema,
  saveWebhookSchema,
  savedWebhookSchema,
  webhookDeliverySchema,
  webhookStatusSchema,
} from '../webhooks.ts'
import { hubSettingSchema, saveSettingSchema } from '../settings.ts'
import type { OperationTable } from './operation.ts'

/** The hub itself: its configuration as a whole, backups, webhooks, events. */
export const hubOperations = {
  'GET /api/hub': { summary: 'The hub itself', answer: hubStatusSchema },
  'POST /api/hub/endpoint': {
    summary: 'Listen on the port again, or on another',
    body: moveEndpointSchema,
    answer: hubStatusSchema,
  },
  'GET /api/diagnostics': {
    summary: 'Versions, configuration, states and logs as tar.gz, without secrets',
    answer: 'application/gzip',
  },
  'POST /api/diagnostics/cpu-profile': {
    summary: 'What the hub’s process spends its time on, for some seconds, as Chromium’s developer tools read it',
    body: cpuProfileOptionsSchema,
    answer: cpuProfileSchema,
  },
  'GET /api/events': {
    summary: 'What happens, as it happens; each event’s data is a HubEvent',
    query: eventsQuerySchema,
    answer: 'text/event-stream',
  },
  'GET /api/settings': {
    summary: 'The settings of system.json: what each does, may be, and is',
    answer: z.array(hubSettingSchema),
  },
  'PUT /api/settings/:name': {
    summary: 'Set one of them, by its path in system.json',
    body: saveSettingSchema,
    answer: hubSettingSchema,
  },
  'DELETE /api/settings/:name': { summary: 'Take one out of system.json, so that its default holds' },
  'GET /api/webhooks': {
    summary: 'The webhooks of system.json, each with its newest deliveries',
    answer: z.array(webhookStatusSchema),
  },
  'PUT /api/webhooks/:id': {
    summary: 'Add or change a webhook; a key that the hub makes is in this answer and nowhere else',
    body: saveWebhookSchema,
    answer: savedWebhookSchema,
  },
  'DELETE /api/webhooks/:id': { summary: 'Remove a webhook; its key stays in the vault, so that it can be put back' },
  'POST /api/webhooks/:id/restore': {
    summary: 'Put a removed webhook back, as the newest version of the configuration that has it',
    answer: restoredWebhookSchema,
  },
  'POST /api/webhooks/:id/test': {
    summary: 'Send a test message; answered once it was tried, whether or not it arrived',
    answer: webhookDeliverySchema,
  },
  'GET /api/backups': { summary: 'The archives, and when the hub makes one', answer: backupsSchema },
  'POST /api/backups': { summary: 'Make an archive of everything now', answer: backupSchema, status: 201 },
  'GET /api/backups/:name': { summary: 'One archive; it holds the vault', answer: 'application/gzip' },
  'DELETE /api/backups/:name': { summary: 'Delete an archive' },
  'GET /api/backups/:name/contents': {
    summary: 'The configuration in an archive, checked, and what restoring it would change',
    answer: backupContentsSchema,
  },
  'POST /api/backups/:name/restore': {
    summary: 'Bring the servers, profiles and settings of an archive into force; the rest needs `mcp-hub restore`',
  },
  'GET /api/config/versions': {
    summary: 'What the configuration was, the newest first; the last 200 are kept',
    answer: configVersionsSchema,
  },
  'GET /api/config/versions/:id': {
    summary: 'One version, and what going back to it would change',
    answer: configVersionDetailSchema,
  },
  'POST /api/config/versions/:id/restore': {
    summary: 'Go back to a version; the present one stays among the versions',
    body: restoreVersionSchema,
    answer: configVersionsSchema,
  },
  'GET /api/config/users/versions': {
    summary: 'What users and keys were, the newest first, without any hash; the last 50 are kept',
    answer: identityVersionsSchema,
  },
  'GET /api/config/users/versions/:id': {
    summary: 'One of them, and what going back to it would change',
    answer: identityVersionDetailSchema,
  },
  'POST /api/config/users/versions/:id/restore': {
    summary: 'Go back to it; who gets an old password back must change it, and deleted keys stay deleted',
    body: restoreVersionSchema,
    answer: identityVersionsSchema,
  },

  'GET /api/admin/config': {
    summary: 'What is in force, with a reference in the place of each secret; its ETag is what a push names',
    answer: portableConfigSchema,
  },
  'PUT /api/admin/config': {
    summary:
      'Bring another configuration into force as one version; needs If-Match, and is taken back when what ran before does not run any more. ?dryRun=1 only answers what would change',
    query: pushQuerySchema,
    body: pushConfigSchema,
    answer: pushResultSchema,
  },
  'GET /api/admin/config/pushes': { summary: 'The newest pushes and what became of them', answer: pushListSchema },
  'GET /api/admin/config/pushes/:id': { summary: 'One push', answer: pushStatusSchema },
  'POST /api/admin/deploy-keys': {
    summary: 'Make a code that is exchanged once, within 15 minutes, for a key that only pushes configurations',
    body: enrolDeployKeySchema,
    answer: enrolmentSchema,
    status: 201,
  },
  'POST /api/admin/deploy-keys/enrol': {
    summary: 'Exchange the code, sent as bearer token, for its deploy key; the key is in this answer and nowhere else',
    answer: createdKeySchema,
    status: 201,
  },
  'GET /api/openapi.json': { summary: 'The REST API as an OpenAPI 3.1 document', answer: z.looseObject({}) },
} as const satisfies OperationTable
