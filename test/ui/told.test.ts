import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h, ref, type Ref } from 'vue'
import type { AddServer, Profile, ProfileSummary, ServerStatus } from '../../hub/contract/index.ts'
import AttentionList from '../../renderer/features/overview/AttentionList.vue'
import OverrideDialog from '../../renderer/features/profiles/OverrideDialog.vue'
import { useFoundSecrets } from '../../renderer/features/secrets/use-found-secrets.ts'
import ServersPage from '../../renderer/features/servers/ServersPage.vue'
import CallTester from '../../renderer/features/tools/CallTester.vue'
import PinPanel from '../../renderer/features/tools/PinPanel.vue'
import RestoreVersion from '../../renderer/features/versions/RestoreVersion.vue'
import { keys } from '../../renderer/lib/queries.ts'
import { eventually } from './eventually.ts'
import { show, type, type Shown } from './show.ts'

let shown: Shown
let answer: (path: string) => Promise<Response>
beforeEach(() => {
  sessionStorage.clear()
  answer = () => Promise.resolve(new Response('{}', { status: 503 }))
  vi.stubGlobal('fetch', (path: string) => answer(path))
})
afterEach(() => {
  shown.wrapper.unmount()
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})
const text = (): string => document.body.textContent

it('a change of how a tool is shown that could not be written against its definition says so', async () => {
  const profile: Profile = { servers: { one: {} } }
  const offer = { name: 'a', title: null, description: null }
  shown = show(OverrideDialog, { modelValue: profile, server: 'one', kind: 'tools', offer })
  await flushPromises()
  type(document.querySelector('input')!, 'b')
  await flushPromises()
  await eventually(() => {
    shown.get('button', 'Apply').click()
    expect(text()).toContain('What it is written against could not be read')
  })
})

it('nobody takes a tool for approved of which that is not known', async () => {
  shown = show(PinPanel, { server: 'one', tool: 'a' })
  await eventually(() => expect(text()).toContain('Whether it is approved could not be found out'))
})

it('all is well only when it is known that no tool waits', async () => {
  let isThere: (response: Response) => void = () => undefined
  answer = () => new Promise((resolve) => (isThere = resolve))
  shown = show(AttentionList, { servers: [] })
  await flushPromises()
  expect(text()).not.toContain('Nothing needs attention')
  isThere(new Response('[]'))
  await eventually(() => expect(text()).toContain('Nothing needs attention'))
})

it('why it could not be found out whether a tool waits is said, with a way to try again', async () => {
  shown = show(AttentionList, { servers: [] })
  await eventually(() => expect(text()).toContain('The tools could not be loaded'))
  answer = () => Promise.resolve(new Response('[]'))
  shown.get('button', 'Try again').click()
  await eventually(() => expect(text()).toContain('Nothing needs attention'))
})

it('no server is in a profile that is not there', async () => {
  answer = () => new Promise(() => undefined)
  const servers = [{ name: 'time', state: 'running' }] as unknown as ServerStatus[]
  shown = show(ServersPage)
  await shown.router.push('/servers?profile=gone')
  shown.queries.setQueryData<ProfileSummary[]>(keys.profiles, [])
  shown.queries.setQueryData<ServerStatus[]>(keys.servers, servers)
  await eventually(() => expect(text()).toContain('No server matches'))
})

it('of a profile that could not be read nobody says that no server is in it', async () => {
  const servers = [{ name: 'time', state: 'running' }] as unknown as ServerStatus[]
  shown = show(ServersPage)
  await shown.router.push('/servers?profile=work')
  shown.queries.setQueryData<ServerStatus[]>(keys.servers, servers)
  await eventually(() => expect(text()).toContain('The profiles could not be loaded'))
  expect(text()).not.toContain('No server matches')
})

it('what was typed and is no number goes when the arguments are set back', async () => {
  answer = () => Promise.resolve(new Response('[]'))
  shown = show(CallTester, {
    subject: ['tools/call', 'one', 'a'],
    inputSchema: { type: 'object', properties: { n: { type: 'number' } } },
    start: () => () => Promise.reject(new Error('is not called')),
  })
  await flushPromises()
  const number = (): HTMLInputElement => document.querySelector<HTMLInputElement>('input[inputmode="decimal"]')!
  const run = (): HTMLButtonElement => shown.get('button', 'Run') as HTMLButtonElement
  type(number(), 'abc')
  await eventually(() => expect(run().disabled).toBe(true))
  shown.get('button', 'Reset').click()
  await eventually(() => expect(run().disabled).toBe(false))
  expect(number().value).toBe('')
})

it('what would go into the vault is not shown of an entry that somebody looked at before', async () => {
  answer = () => Promise.resolve(new Response(JSON.stringify({ config: { command: 'first' }, secrets: [] })))
  const entry: Ref<AddServer | null> = ref({ name: 'one', config: { command: 'first' } })
  shown = show(
    defineComponent(() => {
      const found = useFoundSecrets(() => entry.value)
      return () => h('p', JSON.stringify(found.data.value?.config ?? null))
    }),
  )
  await eventually(() => expect(text()).toContain('first'))
  const asked = vi.fn<() => Promise<Response>>(() => new Promise(() => undefined))
  answer = asked
  // The next change goes on from what was found; one that is made later does not.
  entry.value = { name: 'one', config: { command: 'second' } }
  await eventually(() => expect(asked).toHaveBeenCalledTimes(1))
  expect(text()).toContain('first')
  entry.value = null
  await eventually(() => expect(text()).toBe('null'))
  entry.value = { name: 'one', config: { command: 'third' } }
  await eventually(() => expect(asked).toHaveBeenCalledTimes(2))
  expect(text()).toBe('null')
})

it('what would go into the vault is pending from the first moment until it is known', async () => {
  let isThere: (response: Response) => void = () => undefined
  const asked = vi.fn<() => Promise<Response>>(() => new Promise((resolve) => (isThere = resolve)))
  answer = asked
  const entry: Ref<AddServer | null> = ref(null)
  shown = show(
    defineComponent(() => {
      const found = useFoundSecrets(() => entry.value)
      return () => h('p', found.pending.value ? 'pending' : 'known')
    }),
  )
  expect(text()).toBe('known')
  entry.value = { name: 'one', config: { command: 'first' } }
  await flushPromises()
  expect(asked).not.toHaveBeenCalled()
  expect(text()).toBe('pending')
  await eventually(() => expect(asked).toHaveBeenCalledOnce())
  expect(text()).toBe('pending')
  isThere(new Response(JSON.stringify({ config: { command: 'first' }, secrets: [] })))
  await eventually(() => expect(text()).toBe('known'))
})

it('whether a version was gone back to is told by the dialog that asked for it', async () => {
  let fail: (error: Error) => void = () => undefined
  const restore = (): Promise<void> => new Promise((_, reject) => (fail = reject))
  shown = show(RestoreVersion, { id: 1, text: 'All of it.', restore })
  shown.get('button', 'Go back to this version').click()
  await flushPromises()
  document.querySelector('form')?.requestSubmit()
  await flushPromises()
  for (const name of ['Cancel', 'Close']) expect((shown.get('button', name) as HTMLButtonElement).disabled).toBe(true)
  document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }))
  await flushPromises()
  fail(new Error('Version 1 is gone.'))
  await eventually(() => expect(text()).toContain('Version 1 is gone.'))
})
