import { mount } from '@vue/test-utils'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { defineComponent, h, nextTick, type Ref } from 'vue'
import { createMemoryHistory, createRouter, RouterView, type Router } from 'vue-router'
import { useQueryParam } from '../../renderer/lib/use-query-param.ts'
import { useTypedSearch } from '../../renderer/lib/use-typed-search.ts'

let text: Ref<string>
let router: Router
/** Lets the code of the other page arrive. */
let arrive: () => void

const searching = defineComponent(() => {
  const q = useQueryParam('q')
  text = useTypedSearch(
    () => q.value,
    (typed) => (q.value = typed),
  )
  return () => null
})

beforeEach(async () => {
  vi.useFakeTimers()
  const code = Promise.withResolvers<typeof blank>()
  const blank = defineComponent(() => () => null)
  arrive = () => code.resolve(blank)
  router = createRouter({
    history: createMemoryHistory(),
    routes: [
      { path: '/search', component: searching },
      { path: '/late', component: () => code.promise },
    ],
  })
  await router.push('/search')
  mount(() => h(RouterView), { global: { plugins: [router] } })
  await nextTick()
})
afterEach(() => vi.useRealTimers())

async function typed(value: string): Promise<void> {
  text.value = value
  await nextTick()
}

it('searches once typing pauses, also when the address changes otherwise meanwhile', async () => {
  await typed('no')
  await vi.advanceTimersByTimeAsync(200)
  await typed('notes ')
  await router.replace('/search?outcome=done')
  await vi.advanceTimersByTimeAsync(200)
  expect(router.currentRoute.value.query).toEqual({ outcome: 'done' })
  await vi.advanceTimersByTimeAsync(100)
  expect(router.currentRoute.value.query).toEqual({ outcome: 'done', q: 'notes' })
  expect(text.value).toBe('notes ')
  await router.replace('/search')
  expect(text.value).toBe('')
})

it('neither undoes the way to another page nor follows there', async () => {
  await typed('notes')
  const way = router.push('/late')
  await vi.advanceTimersByTimeAsync(1_000)
  arrive()
  await way
  await vi.advanceTimersByTimeAsync(1_000)
  expect(router.currentRoute.value.fullPath).toBe('/late')
})
