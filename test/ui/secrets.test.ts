import { flushPromises } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import SetSecretDialog from '../../renderer/features/secrets/SetSecretDialog.vue'
import { show, type } from './show.ts'

beforeEach(() => vi.stubGlobal('fetch', () => Promise.reject(new TypeError('no hub'))))
afterEach(() => {
  vi.unstubAllGlobals()
  document.body.innerHTML = ''
})

it('a new secret does not take the place of one that is there', async () => {
  const page = show(SetSecretDialog, { name: null, taken: ['GITHUB_TOKEN'] })
  await flushPromises()
  const name = page.get('textbox', 'Name')
  type(name, 'GITHUB_TOKEN')
  type(document.querySelector<HTMLElement>('input[type="password"]')!, 'another')
  await flushPromises()
  const save = page.get('button', 'Save') as HTMLButtonElement
  expect(save.disabled).toBe(true)
  expect(document.body.textContent).toContain('There is a secret of this name')
  type(name, 'GITLAB_TOKEN')
  await flushPromises()
  expect(save.disabled).toBe(false)
})
