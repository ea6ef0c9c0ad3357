import { flushPromises } from '@vue/test-utils'
import { afterEach, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'
import { createMemoryHistory, createRouter, type Router } from 'vue-router'
import { toast } from 'vue-sonner'
import { loadAhead } from '../../renderer/app/load-ahead.ts'
import { runCommand } from '../../renderer/lib/commands.ts'
import { tellMissingCode } from '../../renderer/lib/missing-code.ts'
import { eventually } from './eventually.ts'
import { show, type Shown } from './show.ts'

let shown: Shown
afterEach(() => {
  vi.restoreAllMocks()
  toast.dismiss()
  shown.wrapper.unmount()
  document.body.innerHTML = ''
})

/** As the build loads code: it tells the window first what it could not load. */
function lost(): Promise<never> {
  const payload = new TypeError('Failed to fetch dynamically imported module')
  window.dispatchEvent(Object.assign(new Event('vite:preloadError'), { payload }))
  return Promise.reject(payload)
}

const page = defineComponent(() => () => null)
let isLost: boolean
async function start(): Promise<Router> {
  isLost = true
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', component: page },
      { path: '/there', component: page },
      { path: '/lost', component: () => (isLost ? lost() : Promise.resolve(page)) },
    ],
  })
  tellMissingCode(router, (key) => key)
  await router.push('/')
  shown = show(defineComponent(() => () => h('a', { href: '/lost' }, 'Lost')))
  return router
}
const settle = async (): Promise<void> => {
  await flushPromises()
  await new Promise((resolve) => setTimeout(resolve, 20))
}

it('code that is missing is told to who goes there, once, and no longer than until the way is free', async () => {
  const router = await start()
  const error = vi.spyOn(toast, 'error')
  const dismiss = vi.spyOn(toast, 'dismiss')
  await runCommand({ id: 'go', group: 'go', title: 'Go there', run: () => router.push('/lost') })
  await settle()
  // The second time with the way to where one wanted to go, in the place of the first.
  expect(error.mock.calls.map(([title, { id } = {}]) => [title, id])).toEqual([
    ['app.outdated', 'outdated'],
    ['app.outdated', 'outdated'],
  ])
  expect(dismiss).not.toHaveBeenCalled()
  isLost = false
  await router.push('/lost')
  expect(dismiss).toHaveBeenCalledWith('outdated')
})

it('code that is missing is not told to who only points at the link to it', async () => {
  const router = await start()
  const error = vi.spyOn(toast, 'error')
  loadAhead(router, document)
  shown.get('link', 'Lost').dispatchEvent(new Event('pointerover', { bubbles: true }))
  await settle()
  expect(error).not.toHaveBeenCalled()
  await expect(router.push('/lost')).rejects.toThrow('Failed to fetch')
  await eventually(() => expect(error).toHaveBeenCalled())
})
