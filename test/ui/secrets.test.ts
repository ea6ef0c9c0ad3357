import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import SetSecretDialog from '../../renderer/features/secrets/SetSecretDialog.vue'
import { show, type } from './show.ts'

const sent: { path: string; body: unknown }[] = []
beforeEach(() => {
  sent.length = 0
  vi.stubGlobal('fetch', (path: string, init: RequestInit) => {
    sent.push({ path, body: JSON.parse(init.body as string) })
    return Promise.resolve(new Response('{"restarted":[]}'))
  })
})
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})
const value = (): HTMLInputElement => document.querySelector<HTMLInputElement>('input[type="password"]')!

it('a new secret does not take the place of one that is there', async () => {
  const page = show(SetSecretDialog, { name: null, taken: ['GITHUB_TOKEN'] })
  await flushPromises()
  const name = page.get('textbox', 'Name')
  type(name, 'GITHUB_TOKEN')
  type(value(), 'another')
  await flushPromises()
  const save = page.get('button', 'Save') as HTMLButtonElement
  expect(save.disabled).toBe(true)
  expect(document.body.textContent).toContain('GITHUB_TOKEN has a value already')
  type(name, 'GITLAB_TOKEN')
  await flushPromises()
  expect(save.disabled).toBe(false)
})

it('a key that is pasted keeps its lines, and a line that is pasted stays in its field', async () => {
  const page = show(SetSecretDialog, { name: 'TLS_KEY', taken: ['TLS_KEY'] })
  await flushPromises()
  const pem = '-----BEGIN KEY-----\nabc\n-----END KEY-----\n'
  function paste(text: string): boolean {
    const data = new DataTransfer()
    data.setData('text/plain', text)
    return value().dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
  }
  expect(paste('one line\n')).toBe(true)
  expect(paste(pem)).toBe(false)
  await flushPromises()
  expect(value()).toBeNull()
  page.get('button', 'Save').click()
  await flushPromises()
  document.querySelector('form')?.requestSubmit()
  await flushPromises()
  expect(sent[0]).toEqual({ path: '/api/secrets/TLS_KEY', body: { value: pem } })
})
