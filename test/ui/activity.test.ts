import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { defineComponent, h, provide, type Component } from 'vue'
import type { HubEvent, RequestRecord } from '../../hub/contract/index.ts'
import ActivityPage from '../../renderer/features/activity/ActivityPage.vue'
import { liveKey, type Live } from '../../renderer/lib/live.ts'
import { eventually } from './eventually.ts'
import { show } from './show.ts'

const record = (id: number): RequestRecord => ({
  id,
  at: 1_700_000_000_000 + id,
  durationMs: 3,
  principal: 'user:admin',
  client: 'client 1',
  endpoint: '/mcp',
  server: 'everything',
  method: 'tools/call',
  name: `call ${id}`,
  bytesIn: 1,
  bytesOut: 1,
  outcome: 'ok',
  errorCode: null,
  errorMessage: null,
  traceId: null,
  requestId: null,
  waitedMs: null,
  sentMs: null,
  notifiedMs: null,
  repliedMs: null,
  notifications: null,
  firstByteMs: null,
  askedMs: null,
  clientMs: null,
})

/** What the hub's history holds, newest first. */
let history: RequestRecord[] = []
let asked = 0
let listeners: ((event: HubEvent) => void)[] = []

beforeEach(() => {
  history = [3, 2, 1].map(record)
  asked = 0
  listeners = []
  // Rows are made for what is in sight, and nothing is in a page that is never laid out.
  vi.spyOn(HTMLElement.prototype, 'clientHeight', 'get').mockReturnValue(400)
  vi.spyOn(HTMLElement.prototype, 'clientWidth', 'get').mockReturnValue(800)
  vi.stubGlobal('fetch', (path: string) => {
    if (!path.startsWith('/api/history')) return Promise.resolve(new Response('{}', { status: 404 }))
    asked++
    const q = new URLSearchParams(path.split('?')[1]).get('q') ?? ''
    const items = history.filter(({ name }) => name?.includes(q))
    return Promise.resolve(new Response(JSON.stringify({ items, next: null })))
  })
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

const row = (name: string): HTMLElement | undefined =>
  [...document.querySelectorAll<HTMLElement>('[role="row"]')].find((element) => element.textContent.includes(name))
const names = (): string[] => [...document.querySelectorAll('[role="row"] a')].map((link) => link.textContent)

async function open(): Promise<ReturnType<typeof show>> {
  const live: Live = {
    state: { value: 'open' } as Live['state'],
    on: (listener) => {
      listeners.push(listener)
      return () => undefined
    },
    watchLogs: () => undefined,
    watchUsage: () => undefined,
    retry: () => undefined,
    dispose: () => undefined,
  }
  const page = show(
    defineComponent(() => {
      provide(liveKey, live)
      return () => h(ActivityPage as Component)
    }),
  )
  await eventually(() => expect(names()).toEqual(['call 3', 'call 2', 'call 1']))
  return page
}

function arrive(id: number): void {
  history = [record(id), ...history]
  for (const listener of listeners) listener({ type: 'history.appended' } as HubEvent)
}

function scrollDown(): void {
  const grid = document.querySelector('[role="grid"]')
  if (grid === null) throw new Error('There is no list')
  grid.scrollTop = 64
  grid.dispatchEvent(new Event('scroll'))
}

describe('the list of requests', () => {
  it('keeps the element of each row when its first page is read again', async () => {
    const page = await open()
    const before = [row('call 3'), row('call 2'), row('call 1')]
    before[1]?.focus()
    history = [record(4), ...history]
    // As after a connection that was lost.
    await page.queries.invalidateQueries()
    await eventually(() => expect(names()).toEqual(['call 4', 'call 3', 'call 2', 'call 1']))
    expect(asked).toBe(2)
    for (const [index, name] of ['call 3', 'call 2', 'call 1'].entries()) expect(row(name), name).toBe(before[index])
    expect(document.activeElement).toBe(before[1])
  })

  it('holds new requests back when it is read again while it is paused', async () => {
    const page = await open()
    page.get('button', 'Pause').click()
    history = [record(4), ...history]
    await page.queries.invalidateQueries()
    await eventually(() => expect(page.find('button', '1 newer request')).not.toBeNull())
    expect(names()).toEqual(['call 3', 'call 2', 'call 1'])
  })

  it('shows a request once that comes by an event and by reading again', async () => {
    const page = await open()
    history = [record(4), ...history]
    for (const listener of listeners) listener({ type: 'history.appended' } as HubEvent)
    await page.queries.invalidateQueries()
    await flushPromises()
    await eventually(() => expect(names()).toEqual(['call 4', 'call 3', 'call 2', 'call 1']))
  })

  it('is another list after the history was emptied', async () => {
    const page = await open()
    history = [record(9)]
    await page.queries.invalidateQueries()
    await eventually(() => expect(names()).toEqual(['call 9']))
  })

  it('shows what matches a filter, and nothing of before', async () => {
    const page = await open()
    await page.router.push('/?q=call 1')
    await eventually(() => expect(names()).toEqual(['call 1']))
    await page.router.push('/')
    await eventually(() => expect(names()).toEqual(['call 3', 'call 2', 'call 1']))
  })

  it('goes on by itself after what was held back was shown from the top', async () => {
    const page = await open()
    scrollDown()
    arrive(4)
    await eventually(() => expect(page.find('button', '1 newer request')).not.toBeNull())
    page.get('button', '1 newer request').click()
    await eventually(() => expect(names()[0]).toBe('call 4'))
    arrive(5)
    await eventually(() => expect(names()[0]).toBe('call 5'))
  })

  it('shows what comes where nothing matched before', async () => {
    const page = await open()
    scrollDown()
    await page.router.push('/?q=call 4')
    await eventually(() => expect(document.body.textContent).toContain('No request matches'))
    arrive(4)
    await eventually(() => expect(names()).toEqual(['call 4']))
  })
})
