import { flushPromises } from '@vue/test-utils'
import { useQueryClient } from '@tanstack/vue-query'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h, onScopeDispose, provide, ref, type Component, type Ref } from 'vue'
import type { ConfigVersion, HubEvent, Secrets, Stats } from '../../hub/contract/index.ts'
import TrafficPanel from '../../renderer/features/overview/TrafficPanel.vue'
import { secretsKey } from '../../renderer/features/secrets/queries.ts'
import SecretsSettings from '../../renderer/features/secrets/SecretsSettings.vue'
import ConfigVersions from '../../renderer/features/versions/ConfigVersions.vue'
import { createLive, liveKey } from '../../renderer/lib/live.ts'
import { ApiError } from '../../renderer/lib/problem.ts'
import { keys, useServer } from '../../renderer/lib/queries.ts'
import { eventually } from './eventually.ts'
import { show, type Shown } from './show.ts'

const answers = new Map<string, unknown>()
const asked: string[] = []
let events: ReadableStreamDefaultController<Uint8Array>
const tell = (event: HubEvent): void => events.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`))

beforeEach(() => {
  answers.clear()
  asked.length = 0
  vi.stubGlobal('fetch', (path: string) => {
    asked.push(path)
    if (path.startsWith('/api/events'))
      return Promise.resolve(new Response(new ReadableStream<Uint8Array>({ start: (own) => void (events = own) })))
    const answer = answers.get(path)
    const problem = {
      type: 'about:blank',
      title: 'Not found',
      status: 404,
      detail: 'There is none',
      code: 'HUB_SERVER_NOT_FOUND',
    }
    return Promise.resolve(
      new Response(JSON.stringify(answer ?? problem), {
        status: answer === undefined ? 404 : 200,
      }),
    )
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

/** A page of somebody who is signed in and hears of changes, which can be left and come back to. */
function page(component: Component): Shown & { open: Ref<boolean> } {
  const open = ref(true)
  const shown = show(
    defineComponent(() => {
      const live = createLive(useQueryClient())
      provide(liveKey, live)
      onScopeDispose(() => live.dispose())
      return () => (open.value ? h(component) : null)
    }),
  )
  return { ...shown, open }
}

it('a version that was made meanwhile is in the list, while it is open and when it is opened again', async () => {
  const version = (id: number): ConfigVersion => ({ id, at: 0, by: 'admin', reason: `Change ${id}`, changes: [] })
  answers.set('/api/config/versions', { versions: [version(1)] })
  const { open } = page(ConfigVersions)
  await eventually(() => expect(document.body.textContent).toContain('Change 1'))
  answers.set('/api/config/versions', { versions: [version(2), version(1)] })
  tell({ type: 'profiles.changed' })
  await eventually(() => expect(document.body.textContent).toContain('Change 2'))
  open.value = false
  await flushPromises()
  answers.set('/api/config/versions', { versions: [version(3), version(2), version(1)] })
  open.value = true
  await eventually(() => expect(document.body.textContent).toContain('Change 3'))
})

it('the secrets are those of now, not those that were known when a server was added', async () => {
  const secrets = (...names: string[]): Secrets => ({
    quality: 'os',
    location: '/vault',
    secrets: names.map((name) => ({ name, source: 'vault', masked: true, usedBy: [], usedBySettings: [] })),
  })
  answers.set('/api/secrets', secrets('OLD', 'LIFTED'))
  const { queries, open } = page(SecretsSettings)
  await eventually(() => expect(document.body.textContent).toContain('LIFTED'))
  open.value = false
  await flushPromises()
  queries.setQueryData(secretsKey, secrets('OLD'))
  open.value = true
  await eventually(() => expect(document.body.textContent).toContain('LIFTED'))
})

it('a page hears that its server is gone, and what nobody looks at is forgotten', async () => {
  const seen = defineComponent(() => {
    const query = useServer('time')
    return () => {
      const error = query.error.value
      return error instanceof ApiError ? error.code : (query.data.value?.name ?? '')
    }
  })
  const { queries } = page(seen)
  await flushPromises()
  await queries.cancelQueries()
  queries.setQueryData(keys.server('time'), { name: 'time' })
  queries.setQueryData(keys.server('other'), { name: 'other' })
  await eventually(() => expect(document.body.textContent).toContain('time'))
  tell({ type: 'server.removed', name: 'time' })
  tell({ type: 'server.removed', name: 'other' })
  await eventually(() => expect(document.body.textContent).toContain('HUB_SERVER_NOT_FOUND'))
  expect(queries.getQueryState(keys.server('other'))).toBeUndefined()
})

it('the traffic of the last hour moves on also when no call comes', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const stats: Stats = {
    window: 'hour',
    from: 0,
    to: 1,
    stepMs: 60_000,
    callsPerMinute: 0,
    errorRate: 0,
    total: { calls: 0, errors: 0, p50: null, p95: null, bytesIn: 0, bytesOut: 0 },
    points: [],
    servers: [],
    clients: [],
    dropped: 0,
  }
  answers.set('/api/stats?window=hour', stats)
  page(TrafficPanel)
  const times = (): number => asked.filter((path) => path.includes('window=hour')).length
  await eventually(() => expect(times()).toBe(1))
  await flushPromises()
  vi.advanceTimersByTime(60_000)
  await eventually(() => expect(times()).toBe(2))
})
