import { definitionHash } from '../catalog/definition.ts'
import { webhookEvents } from '../contract/webhook-events.ts'
import type { Fault, ServerState, ServerStatus, Webhook, WebhookEvent, WebhookStatus } from '../contract/index.ts'
import { told } from '../say.ts'
import type { Item } from '../upstream/catalog.ts'
import type { WebhookSender, WebhookSenderOptions } from './webhook-sender.ts'

/** Told as failures, whose end is told as well. */
const DOWN: Partial<Record<ServerState, WebhookEvent>> = { failed: 'server.failed', 'needs-auth': 'server.needs-auth' }
/** One lockout is told once in so long a time, however often somebody tries meanwhile. */
const LOCKOUT_MS = 60_000
const MAX_LOCKOUTS = 1_000
const MAX_TOOLS_TOLD = 10_000

export interface WebhooksOptions extends Omit<WebhookSenderOptions, 'hooks'> {
  /** How a definition stands to what was approved. */
  pinState: (server: string, tool: Item) => string
}

/** Tells others what happens to the hub, where system.json names any; else it costs nothing. */
export interface Webhooks {
  /** `monitoring.webhooks` as it is from now on. */
  apply: (hooks: Readonly<Record<string, Webhook>> | undefined) => void
  started: (version: string) => void
  draining: () => void
  serverState: (status: ServerStatus) => void
  toolsSeen: (server: string, tools: readonly Item[]) => void
  lockout: (account: string | undefined, address: string | undefined) => void
  configFaults: (faults: readonly Fault[]) => void
  list: () => Promise<Omit<WebhookStatus, 'etag'>[]>
  /** Sends a test message; resolves once it was tried. Null when there is no such webhook. */
  test: (id: string) => Promise<WebhookStatus['deliveries'][number] | null>
  /** Waits a moment for what was told last. */
  dispose: () => Promise<void>
}

export function createWebhooks({ pinState, ...options }: WebhooksOptions): Webhooks {
  let hooks: Readonly<Record<string, Webhook>> = {}
  let sender: Promise<WebhookSender> | null = null
  const down = new Map<string, ServerState>()
  const toolsTold = new Set<string>()
  const lockouts = new Map<string, number>()

  /** Loaded with the first thing that there is to tell. */
  function open(): Promise<WebhookSender> {
    sender ??= import('./webhook-sender.ts').then(({ createWebhookSender }) =>
      createWebhookSender({ ...options, hooks: () => hooks }),
    )
    return sender
  }

  /** A server whose definitions are others each time must not fill the memory. */
  function remember(told: Set<string>, key: string): void {
    told.add(key)
    const [oldest] = told
    if (told.size > MAX_TOOLS_TOLD && oldest !== undefined) told.delete(oldest)
  }

  const any = (): boolean => Object.keys(hooks).length > 0

  function tell(event: WebhookEvent, data: Record<string, unknown>): void {
    if (!any()) return
    const at = Date.now()
    open().then(
      (ready) => ready.tell(event, data, at),
      (error: unknown) => options.log('error', 'Webhooks cannot be sent', { error: String(error) }),
    )
  }

  return {
    apply: (next = {}) => {
      hooks = next
      options.redactor.know(
        'webhooks',
        Object.values(hooks).flatMap(({ secret }) => [secret, secret.replace(/^whsec_/, '')]),
      )
      void sender?.then((ready) => ready.apply())
    },
    started: (version) => tell('hub.started', { version }),
    draining: () => tell('hub.draining', {}),
    serverState: ({ name, state, reason }) => {
      const before = down.get(name)
      const event = DOWN[state]
      if (event !== undefined) {
        down.set(name, state)
        if (before !== state)
          tell(event, {
            server: name,
            state,
            reason: reason === null ? null : { code: reason.code, message: reason.message, cure: reason.cure },
          })
      } else if (state === 'running' && before !== undefined) {
        down.delete(name)
        tell('server.recovered', { server: name, state, before })
      } else if (state === 'disabled') down.delete(name)
    },
    toolsSeen: (server, tools) => {
      if (!any()) return
      const changed = tools.flatMap((tool) => {
        const state = pinState(server, tool)
        if (state !== 'changed' && state !== 'held') return []
        const key = `${server}\n${String(tool['name'])}\n${definitionHash(tool)}`
        if (toolsTold.has(key)) return []
        remember(toolsTold, key)
        return [{ name: String(tool['name']), state }]
      })
      if (changed.length > 0) tell('tools.changed', { server, tools: changed })
    },
    lockout: (account = '', address = '') => {
      if (!any()) return
      const key = `${account}\n${address}`
      const now = Date.now()
      if (now - (lockouts.get(key) ?? -Infinity) < LOCKOUT_MS) return
      lockouts.delete(key)
      lockouts.set(key, now)
      const [oldest] = lockouts.keys()
      if (lockouts.size > MAX_LOCKOUTS && oldest !== undefined) lockouts.delete(oldest)
      tell('auth.lockout', { account, address })
    },
    configFaults: (faults) => {
      if (faults.length > 0)
        tell('config.invalid', {
          faults: faults.map(({ file, path, line, message, cure }) => ({ file, path, line, message, cure })),
        })
    },
    list: async () => {
      const known = sender === null ? null : await sender
      return Object.entries(hooks).map(([id, { url, events, enabled, allowPrivateAddresses }]) =>
        told({
          id,
          url,
          events: events ?? [...webhookEvents],
          enabled: enabled ?? true,
          allowPrivateAddresses: allowPrivateAddresses ?? null,
          stopped: known?.stopped(id) ?? null,
          deliveries: known?.deliveries(id) ?? [],
        }),
      )
    },
    test: async (id) => (Object.hasOwn(hooks, id) ? (await open()).test(id) : null),
    dispose: async () => {
      await (await sender)?.dispose()
    },
  }
}
