import { flushPromises } from '@vue/test-utils'
import { afterEach, expect, it, vi } from 'vitest'
import { defineComponent, h, provide, shallowRef } from 'vue'
import PushList from '../../renderer/features/versions/PushList.vue'
import { liveKey, type Live } from '../../renderer/lib/live.ts'
import { eventually } from './eventually.ts'
import { show } from './show.ts'

afterEach(() => vi.unstubAllGlobals())

it('opens again with the pushes that were read before', async () => {
  const push = { id: '1', by: 'ann', reason: 'New servers', at: 0, state: 'watching', until: 1, decidedAt: null }
  vi.stubGlobal('fetch', () => Promise.resolve(Response.json([{ ...push, failures: [], changes: [] }])))
  const open = shallowRef(true)
  const page = show(
    defineComponent(() => {
      provide(liveKey, { on: () => () => undefined } as unknown as Live)
      return () => (open.value ? h(PushList) : null)
    }),
  )
  const said = (): boolean => page.wrapper.text().includes('New servers')
  await eventually(() => expect(said()).toBe(true))
  open.value = false
  await flushPromises()
  expect(said()).toBe(false)
  open.value = true
  await eventually(() => expect(said()).toBe(true))
  page.wrapper.unmount()
})
