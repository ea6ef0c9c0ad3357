import { flushPromises, mount } from '@vue/test-utils'
import { afterEach, expect, it, vi } from 'vitest'
import { defineComponent, h } from 'vue'
import { createMemoryHistory, createRouter, RouterView } from 'vue-router'
import { useUnsaved } from '../../renderer/lib/use-unsaved.ts'

afterEach(() => vi.unstubAllGlobals())

it('edits are asked about on every way but that of who is signed out', async () => {
  const blank = defineComponent(() => () => null)
  const edited = defineComponent(() => {
    useUnsaved(
      () => true,
      () => 'Leave?',
    )
    return () => h('p', 'edited')
  })
  const router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/', component: edited },
      { path: '/servers', component: blank },
      { path: '/login', name: 'login', meta: { public: true }, component: blank },
      { path: '/password', name: 'password', meta: { public: true }, component: blank },
    ],
  })
  const confirm = vi.fn(() => false)
  vi.stubGlobal('confirm', confirm)
  const wrapper = mount(RouterView, { global: { plugins: [router] } })
  await router.push('/')
  await flushPromises()
  for (const [to, isAsked] of [
    ['/servers', true],
    ['/password', true],
    ['/login', false],
  ] as const) {
    confirm.mockClear()
    await router.push(to)
    expect(confirm).toHaveBeenCalledTimes(isAsked ? 1 : 0)
    expect(router.currentRoute.value.path).toBe(isAsked ? '/' : to)
  }
  wrapper.unmount()
})
