import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h, nextTick, ref } from 'vue'
import SetSecretDialog from '../../renderer/features/secrets/SetSecretDialog.vue'
import PairsField from '../../renderer/features/servers/PairsField.vue'
import { eventually } from './eventually.ts'
import { show, type, type Shown } from './show.ts'

const KEY = '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n'
let shown: Shown
const sent: unknown[] = []
beforeEach(() => {
  sent.length = 0
  vi.stubGlobal('fetch', (_path: string, init?: RequestInit) => {
    sent.push(JSON.parse(init?.body as string))
    return Promise.resolve(Response.json({ restarted: [] }))
  })
})
afterEach(() => {
  shown.wrapper.unmount()
  vi.unstubAllGlobals()
})

/** Pastes as a browser does: what nobody takes goes into the field, without its line breaks. */
function paste(field: HTMLInputElement, text: string): void {
  const event = new Event('paste', { bubbles: true, cancelable: true })
  Object.assign(event, { clipboardData: { getData: () => text.replaceAll('\n', '\r\n') } })
  if (field.dispatchEvent(event)) type(field, field.value + text.replaceAll('\n', ''))
}
const valueField = (): HTMLInputElement => document.querySelector('input[type="password"]')!

it('a pasted secret keeps its lines, and a name that is taken is not taken again', async () => {
  shown = show(SetSecretDialog, { name: null, taken: ['GITHUB_TOKEN'] })
  await flushPromises()
  const save = (): HTMLButtonElement => document.querySelector('button[type="submit"]')!
  paste(valueField(), 'one line\n')
  await nextTick()
  expect(valueField().value).toBe('one line')
  type(valueField(), '')
  paste(valueField(), KEY)
  await nextTick()
  const name = document.querySelector<HTMLInputElement>('input[placeholder="GITHUB_TOKEN"]')!
  type(name, 'GITHUB_TOKEN')
  await nextTick()
  expect(document.body.textContent).toContain('There is a secret of this name.')
  expect(save().disabled).toBe(true)
  type(name, 'TLS_KEY')
  await nextTick()
  document.querySelector('form')?.requestSubmit()
  await eventually(() => expect(sent).toEqual([expect.objectContaining({ value: KEY })]))
})

it('a pasted value of a pair keeps its lines, and is changed as JSON', async () => {
  const pairs = ref<Record<string, string>>({ TLS_KEY: '' })
  shown = show(
    defineComponent(
      () => () =>
        h(PairsField, {
          modelValue: pairs.value,
          label: 'Environment',
          namePlaceholder: '',
          'onUpdate:modelValue': (now: Record<string, string>) => (pairs.value = now),
        }),
    ),
  )
  paste(valueField(), KEY)
  await nextTick()
  expect(pairs.value).toEqual({ TLS_KEY: KEY })
  expect(valueField().disabled).toBe(true)
  expect(document.body.textContent).toContain('edit it as JSON')
})
