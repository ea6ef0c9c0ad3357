import { randomBytes } from 'node:crypto'
import type { Request } from 'express'
import { parse } from 'jsonc-parser'
import { checkIfMatch, entityTag } from '../config/entity-tag.ts'
import { referencesInText } from '../config/interpolate.ts'
import type { ConfigStore } from '../config/store.ts'
import type { ConfigVersions } from '../config/versions.ts'
import {
  saveWebhookSchema,
  webhookIdSchema,
  type SaveWebhook,
  type SystemFile,
  type Webhook,
} from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { whyNotSentTo } from '../observe/webhook-reach.ts'
import type { Webhooks } from '../observe/webhooks.ts'
import { saidOfIssue, say, told, type Said } from '../say.ts'
import type { SecretVault } from '../secrets/vault.ts'
import { checkWebhook, webhookOf } from './exec-check.ts'
import { bodyOf, changeBy, verbatim, type On } from './routes.ts'

export interface WebhookRoutes {
  webhooks: Pick<Webhooks, 'list' | 'test'>
  config: Pick<ConfigStore, 'saveSystem' | 'systemAsWritten'>
  versions: Pick<ConfigVersions, 'list' | 'get'>
  vault: Pick<SecretVault, 'set' | 'delete'>
  /** Whether other hubs read system.json, which have vaults of their own. */
  shared: boolean
  /** Where a webhook does not say itself whether it may be in a private network. */
  allowPrivateAddresses: () => boolean
}

/** `/api/webhooks`: who is told of changes, and whether it arrived. They are kept in system.json. */
export function webhookRoutes(on: On, options: WebhookRoutes): void {
  const { webhooks, config, versions, vault } = options

  /** As it stands in system.json, with its references. */
  const written = (id: string): Webhook | undefined => webhookOf(config.systemAsWritten, id)

  on('GET /api/webhooks', async (_request, response) => {
    const all = await webhooks.list()
    response.json(
      all.map((hook) => {
        const entry = written(hook.id)
        return { ...hook, url: entry?.url ?? hook.url, etag: entityTag(entry ?? null) }
      }),
    )
  })

  on('PUT /api/webhooks/:id', async (request, response) => {
    const id = idOf(request)
    const wanted = bodyOf(request, saveWebhookSchema)
    const change = changeBy(request)
    const before = written(id)
    // Before a key is put into the vault for nothing.
    checkIfMatch(change.ifMatch, before)
    await checkReach(request, before, wanted)
    const made = wanted.secret === 'new' || (wanted.secret === undefined && before === undefined) ? newKey() : null
    const key = made ?? wanted.secret
    const reference = key === undefined || options.shared ? null : await keep(id, key)
    try {
      await config.saveSystem(place(id), (present) => merged(present, wanted, reference?.text ?? key), change)
    } catch (error) {
      if (reference !== null) await vault.delete(reference.name)
      throw error
    }
    const etag = entityTag(written(id) ?? null)
    // A key that was made is nowhere else: it must not be taken out of the answer.
    verbatim(response).set('etag', etag).json({ etag, secret: made })
  })

  on('DELETE /api/webhooks/:id', async (request, response) => {
    const id = idOf(request)
    if (written(id) === undefined) throw notFound(id)
    await config.saveSystem(place(id), () => undefined, changeBy(request))
    response.status(204).end()
  })

  on('POST /api/webhooks/:id/restore', async (request, response) => {
    const id = idOf(request)
    const entry = written(id) ?? (await lastKnown(id))
    if (entry === undefined) throw notFound(id)
    checkWebhook(request, written(id), entry)
    await config.saveSystem(
      place(id),
      (present) => {
        if (present === undefined) return entry
        throw new HubError('HUB_CONFLICT', say`There is a webhook named ${id} already`)
      },
      changeBy(request),
    )
    response.json({ etag: entityTag(written(id) ?? null) })
  })

  on('POST /api/webhooks/:id/test', async (request, response) => {
    const id = String(request.params['id'])
    const delivery = await webhooks.test(id)
    if (delivery === null) throw notFound(id)
    response.json(delivery)
  })

  /**
   * The hub itself makes the request, so what the address may be is what it may be for a server. A reference would carry the
   * value of a variable, a file or a secret to whoever the caller names: only those who write the file write one.
   */
  async function checkReach(
    request: Request,
    before: Webhook | undefined,
    { url, ...wanted }: SaveWebhook,
  ): Promise<void> {
    const own =
      wanted.allowPrivateAddresses === undefined ? before?.allowPrivateAddresses : wanted.allowPrivateAddresses
    checkWebhook(request, before, { url, allowPrivateAddresses: own })
    if (referencesInText(url).length > 0) {
      if (before?.url !== url)
        throw refusal(
          say`A new address cannot hold a reference`,
          say`Write the address itself, or the reference into system.json.`,
        )
      return
    }
    const why = await whyNotSentTo(url, own ?? options.allowPrivateAddresses())
    if (why !== null)
      throw refusal(
        why,
        say`Give the address of a receiver on the internet, or allow it private networks. The metadata services of clouds are never reached.`,
      )
  }

  /** A name of its own for each key: one that is not saved changes nothing, and going back finds the one before. */
  async function keep(id: string, key: string): Promise<{ name: string; text: string }> {
    const name = `WEBHOOK_${id.toUpperCase().replaceAll('-', '_')}_${randomBytes(3).toString('hex').toUpperCase()}`
    await vault.set(name, key)
    return { name, text: `\${secret:${name}}` }
  }

  async function lastKnown(id: string): Promise<Webhook | undefined> {
    for (const version of await versions.list()) {
      const files = (await versions.get(version.id))?.files
      const entry = files && webhookOf(parse(files.system) as SystemFile, id)
      if (entry !== undefined) return entry
    }
    return undefined
  }
}

const place = (id: string): string[] => ['monitoring', 'webhooks', id]
const newKey = (): string => `whsec_${randomBytes(32).toString('base64')}`

/** What is left out stays as it is; no events are all of them. */
function merged(present: unknown, wanted: SaveWebhook, secret: string | undefined): object {
  const { url, events, enabled, allowPrivateAddresses } = wanted
  const entry = { ...(present as Partial<Webhook> | undefined), url }
  if (events?.length === 0) delete entry.events
  else if (events !== undefined) entry.events = events
  if (enabled !== undefined) entry.enabled = enabled
  if (allowPrivateAddresses === null) delete entry.allowPrivateAddresses
  else if (allowPrivateAddresses !== undefined) entry.allowPrivateAddresses = allowPrivateAddresses
  if (secret !== undefined) entry.secret = secret
  return entry
}

function idOf(request: Request): string {
  const id = webhookIdSchema.safeParse(request.params['id'])
  if (id.success) return id.data
  throw new HubError('HUB_BAD_REQUEST', saidOfIssue(id.error.issues[0] ?? { message: 'The name is not valid' }), {
    cure: say`Choose another name.`,
  })
}

function refusal(message: Said | string, cure: Said): HubError {
  const fault = told({ file: null, path: 'url', line: null, column: null, message, cure })
  return new HubError('HUB_BAD_REQUEST', message, { cure, faults: [fault] })
}

const notFound = (id: string): HubError =>
  new HubError('HUB_WEBHOOK_NOT_FOUND', say`There is no webhook named ${id}`, {
    cure: say`GET /api/webhooks lists those of monitoring.webhooks in system.json.`,
  })
