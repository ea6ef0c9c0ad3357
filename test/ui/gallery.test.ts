import { flushPromises } from '@vue/test-utils'
import path from 'node:path'
import { defineComponent, h, nextTick, ref, type Component } from 'vue'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import GalleryPage from '../../renderer/dev/gallery/GalleryPage.vue'
import { groups } from '../../renderer/dev/gallery/groups.ts'
import Button from '../../renderer/ui/Button.vue'
import { show, type Shown } from './show.ts'

const components = Object.entries(
  import.meta.glob<Component & { props?: object }>('../../renderer/ui/*.vue', { eager: true, import: 'default' }),
)
  .map(([file, component]) => ({ name: path.basename(file, '.vue'), component }))
  // Come with CodeEditor and Menu, when they are needed.
  .filter(({ name }) => !['CodeMirror', 'MenuList'].includes(name))

const camel = (name: string): string => name.replace(/-(\w)/g, (_all, letter: string) => letter.toUpperCase())

describe('the component gallery', () => {
  /** Of each component: the properties that some place in the gallery gives it. */
  const given = new Map<string, Set<string>>()
  let withExamples: string[] = []

  beforeAll(async () => {
    const { wrapper } = show(GalleryPage)
    await flushPromises()
    // Exists only while it is open.
    document.querySelector<HTMLElement>('#ConfirmDialog [data-opens]')?.click()
    await flushPromises()
    for (const { name, component } of components) {
      const places = wrapper.findAllComponents(component)
      if (places.length === 0) continue
      given.set(name, new Set(places.flatMap(({ vm }) => Object.keys(vm.$.vnode.props ?? {}).map(camel))))
    }
    withExamples = [...document.querySelectorAll('section[id]:has(figure)')].map(({ id }) => id)
    wrapper.unmount()
  }, 30_000)

  it('has a place for each component of ui/', () => {
    const placed = Object.values(groups).flat()
    expect(components.map(({ name }) => name).filter((name) => !placed.includes(name) || !given.has(name))).toEqual([])
    expect(placed.filter((name) => !withExamples.includes(name))).toEqual([])
  })

  it('shows what each of their properties does', () => {
    const unused = components.flatMap(({ name, component }) =>
      Object.keys(component.props ?? {})
        .filter((property) => !property.endsWith('Modifiers') && !given.get(name)?.has(property))
        .map((property) => `${name} ${property}`),
    )
    expect(unused).toEqual([])
  })
})

describe('a button', () => {
  let shown: Shown
  afterEach(() => shown.wrapper.unmount())

  it('does nothing while it is busy, whatever presses it', async () => {
    const busy = ref(false)
    let pressed = 0
    shown = show(defineComponent(() => () => h(Button, { busy: busy.value, onClick: () => pressed++ })))
    const press = (): number => {
      shown.get('button', '').click()
      return pressed
    }
    // Vue drops what happens in the millisecond in which a listener was added.
    await expect.poll(press).toBeGreaterThan(0)
    busy.value = true
    await nextTick()
    const before = pressed
    expect(press()).toBe(before)
    busy.value = false
    await nextTick()
    expect(press()).toBe(before + 1)
  })

  it('that is a link leads nowhere while it is disabled', () => {
    shown = show(Button, { to: '/servers', disabled: true })
    expect(shown.find('link', '')).toBeNull()
    expect(shown.get('button', '').hasAttribute('disabled')).toBe(true)
  })
})
