import { flushPromises, mount } from '@vue/test-utils'
import { computed, h, markRaw, nextTick, reactive, ref, shallowRef } from 'vue'
import { createMemoryHistory, createRouter } from 'vue-router'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ParsedPaste, ServerStatus } from '../../hub/contract/index.ts'
import CommandPalette from '../../renderer/app/CommandPalette.vue'
import { loadAhead } from '../../renderer/app/load-ahead.ts'
import AddServerPage from '../../renderer/features/servers/add/AddServerPage.vue'
import PasteBox from '../../renderer/features/servers/add/PasteBox.vue'
import ServerRow from '../../renderer/features/servers/ServerRow.vue'
import createIcon from '../../renderer/lib/lucide-icon.ts'
import { ApiError } from '../../renderer/lib/problem.ts'
import ErrorPanel from '../../renderer/ui/ErrorPanel.vue'
import { eventually } from './eventually.ts'
import { press, show, type, type Shown } from './show.ts'

let shown: Shown
/** The hub's answers by path; everything else is not there. */
let answers: Record<string, unknown>
const requests: { path: string; body: unknown }[] = []

beforeEach(() => {
  answers = { '/api/servers': [], '/api/tools': [] }
  requests.length = 0
  vi.stubGlobal('fetch', (path: string, init?: RequestInit) => {
    requests.push({ path, body: typeof init?.body === 'string' ? JSON.parse(init.body) : null })
    const answer = answers[path]
    return Promise.resolve(Response.json(answer ?? {}, { status: answer === undefined ? 404 : 200 }))
  })
})
afterEach(() => {
  shown.wrapper.unmount()
  vi.unstubAllGlobals()
  vi.restoreAllMocks()
})

const server: ServerStatus = {
  name: 'notes',
  prefix: 'notes',
  state: 'failed',
  since: 0,
  reason: { code: 'command-not-found', message: 'The command notes-mcp was not found', cure: 'Install it.' },
  attempt: 1,
  nextTryAt: null,
  restarts: 0,
  transport: 'stdio',
  target: 'notes-mcp',
  pid: null,
  era: null,
  protocolVersion: null,
  serverInfo: null,
  instructions: null,
  counts: { tools: 0, resources: 0, resourceTemplates: 0, prompts: 0 },
  endpointPath: '/mcp/notes',
  startedAt: null,
  connections: 0,
  openStreams: 0,
  usage: null,
}

describe('a row of the server list', () => {
  const row = (changes: Partial<ServerStatus> = {}) => {
    const actions = { busy: new Set<string>(), act: vi.fn(), remove: vi.fn() }
    const closed = {
      opened: shallowRef(null),
      openFor: computed(() => null),
      onClick: vi.fn(),
      onKeydown: vi.fn(),
      onGone: vi.fn(),
    }
    const menu = markRaw({ id: 'menu', open: ref(false), ...closed })
    const props = { server: { ...server, ...changes }, selected: false, canOperate: true, tab: 0, actions, menu }
    shown = show(ServerRow, props)
    return actions
  }

  it('says its state in words and why, and is switched off with its switch', () => {
    const actions = row()
    expect(shown.wrapper.text()).toContain('Failed')
    expect(shown.wrapper.text()).toContain('The command notes-mcp was not found')
    const toggle = shown.get('switch', 'notes on')
    expect(toggle.getAttribute('aria-checked')).toBe('true')
    toggle.click()
    expect(actions.act).toHaveBeenCalledWith(['notes'], 'disable')
  })

  it('is switched on when it is off', () => {
    const actions = row({ state: 'disabled', reason: null })
    expect(shown.wrapper.text()).toContain('notes-mcp')
    shown.get('switch', 'notes on').click()
    expect(actions.act).toHaveBeenCalledWith(['notes'], 'enable')
  })
})

describe('an icon', () => {
  const Check = createIcon({ name: 'check', node: [['path', { d: 'M20 6 9 17l-5-5' }]] })

  it('is nothing to a screen reader, unless it has a name', () => {
    const plain = mount(Check, { attrs: { class: 'size-4' } })
    expect(plain.attributes()).toMatchObject({ 'aria-hidden': 'true', class: 'lucide lucide-check size-4' })
    const named = mount(Check, { attrs: { role: 'img', 'aria-label': 'Done' } })
    expect(named.attributes()).toMatchObject({ role: 'img', 'aria-label': 'Done' })
    expect(named.attributes()).not.toHaveProperty('aria-hidden')
  })
})

describe('an error', () => {
  it('copies everything that a report needs', async () => {
    const writeText = vi.spyOn(navigator.clipboard, 'writeText').mockResolvedValue()
    const error = new ApiError({ kind: 'unexpected', message: 'HTTP 500: oops', request: 'GET /api/x', status: 500 })
    shown = show(ErrorPanel, { title: 'It failed', error })
    shown.get('button', 'Copy details').click()
    await flushPromises()
    expect(writeText).toHaveBeenCalledWith('GET /api/x\n500 UNEXPECTED_ANSWER\nHTTP 500: oops')
  })
})

/** Its text is kept by whoever shows it. */
function typed(props: Record<string, unknown> = {}): Record<string, unknown> {
  const given = reactive<Record<string, unknown>>({ ...props, modelValue: '' })
  given['onUpdate:modelValue'] = (text: string) => (given['modelValue'] = text)
  return given
}

describe('the paste box', () => {
  it('hands on what the hub reads in the text', async () => {
    answers['/api/servers/parse'] = {
      servers: [{ name: 'a', config: { command: 'npx' }, exists: false, faults: [], secrets: [] }],
      faults: [],
    } satisfies ParsedPaste
    const found = vi.fn()
    shown = show(PasteBox, typed({ onFound: found }))
    const box = shown.get('textbox', 'Configuration, command or URL')
    type(box, 'npx a')
    await nextTick()
    press(box, 'Enter', { ctrlKey: true })
    await eventually(() => expect(found).toHaveBeenCalledOnce())
    expect(requests.at(-1)).toEqual({ path: '/api/servers/parse', body: { text: 'npx a' } })
    expect(found).toHaveBeenCalledWith([expect.objectContaining({ name: 'a', config: { command: 'npx' } })], 'npx a')
  })

  it('says where the text is wrong', async () => {
    const fault = { file: null, path: 'mcpServers', line: 1, column: 3, message: 'A brace is missing', cure: 'Add it.' }
    answers['/api/servers/parse'] = { servers: [], faults: [fault] } satisfies ParsedPaste
    shown = show(PasteBox, typed())
    type(shown.get('textbox', 'Configuration, command or URL'), '{')
    await nextTick()
    shown.get('button', 'Review').click()
    await eventually(() => expect(shown.wrapper.find('[role="alert"]').text()).toContain('A brace is missing'))
  })

  it('lets nothing be done with what was found before while the text is another', async () => {
    const servers = [{ name: 'a', config: { command: 'npx' }, exists: false, faults: [], secrets: [] }]
    answers['/api/servers/parse'] = { servers, faults: [] } satisfies ParsedPaste
    shown = show(AddServerPage)
    const box = shown.get('textbox', 'Configuration, command or URL')
    const isOff = (): boolean => shown.get('button', 'Add server').hasAttribute('disabled')
    const isInert = (): boolean => shown.get('button', 'Try connection').closest('[inert]') !== null
    type(box, 'npx a')
    await nextTick()
    shown.get('button', 'Review').click()
    await eventually(() => expect(shown.find('button', 'Add server')).not.toBeNull())
    expect([isOff(), isInert()]).toEqual([false, false])
    type(box, 'npx b')
    await nextTick()
    expect([isOff(), isInert()]).toEqual([true, true])
    expect(shown.wrapper.text()).toContain('The text has changed since')
    // The answer is on its way.
    shown.get('button', 'Review').click()
    await nextTick()
    expect([isOff(), isInert()]).toEqual([true, true])
    await eventually(() => expect([isOff(), isInert()]).toEqual([false, false]))
  })
})

describe('the command palette', () => {
  it('finds a server that is typed, and opens it with Enter', async () => {
    answers['/api/servers'] = [server]
    shown = show(CommandPalette, { open: true, 'onUpdate:open': () => undefined })
    await flushPromises()
    const run = vi.fn()
    shown.commands.add(() => [{ id: 'x', group: 'act', title: 'Do something', run }])
    const field = shown.get('combobox', 'Find a page, server, tool or action')
    type(field, 'not')
    await flushPromises()
    expect(shown.find('option', /Do something/)).toBeNull()
    expect(shown.get('option', /^notes/).hasAttribute('data-highlighted')).toBe(true)
    press(field, 'Enter')
    await eventually(() => expect(shown.router.currentRoute.value.path).toBe('/servers/notes'))
    expect(run).not.toHaveBeenCalled()
  })

  it('takes what the arrows moved to, until other words are typed, and no key that an input method has', async () => {
    shown = show(CommandPalette, { open: true, 'onUpdate:open': () => undefined })
    await flushPromises()
    const ran: string[] = []
    for (const title of ['First thing', 'Second thing', 'Third thing'])
      shown.commands.add(() => [{ id: title, group: 'act', title, run: () => ran.push(title) }])
    const field = shown.get('combobox', 'Find a page, server, tool or action')
    const active = (): string | undefined => {
      const option = document.getElementById(field.getAttribute('aria-activedescendant') ?? '')
      expect(option?.getAttribute('aria-selected')).toBe('true')
      return option?.textContent.trim()
    }
    await nextTick()
    for (const [key, then] of [
      ['ArrowUp', 'First thing'],
      ['ArrowDown', 'Second thing'],
      ['End', 'Third thing'],
      ['ArrowDown', 'Third thing'],
    ] as const) {
      press(field, key)
      await nextTick()
      expect(active()).toBe(then)
    }
    type(field, 'thing')
    await nextTick()
    expect(active()).toBe('First thing')
    field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true }))
    await flushPromises()
    expect(ran).toEqual([])
    press(field, 'Enter')
    await eventually(() => expect(ran).toEqual(['First thing']))
  })
})

describe('a link', () => {
  it('has the code of its page loaded once somebody points at it or moves the focus to it', async () => {
    const page = { render: () => null }
    const loaders = { '/pointed': vi.fn(() => Promise.resolve(page)), '/focused': vi.fn(() => Promise.resolve(page)) }
    const router = createRouter({
      history: createMemoryHistory(),
      routes: Object.entries(loaders).map(([path, component]) => ({ path, component })),
    })
    shown = show(() => [
      h('a', { href: '/pointed?q=1' }, h('b')),
      h('a', { href: '/focused' }),
      h('a', { href: 'https://example.com/focused' }),
    ])
    loadAhead(router, document)
    const send = (element: Element | null, event: string): unknown =>
      element?.dispatchEvent(new Event(event, { bubbles: true }))
    send(document.querySelector('a[href^="https"]'), 'focusin')
    expect(loaders['/focused']).not.toHaveBeenCalled()
    send(document.querySelector('b'), 'pointerover')
    expect(loaders['/pointed']).toHaveBeenCalledOnce()
    send(document.querySelector('a[href="/focused"]'), 'focusin')
    expect(loaders['/focused']).toHaveBeenCalledOnce()
    await flushPromises()
    expect(router.resolve('/pointed').matched[0]?.components?.['default']).toBe(page)
  })
})
