import { afterEach, describe, expect, it } from 'vitest'
import { defineComponent, h, ref } from 'vue'
import { hubOptionsSchema } from '../../hub/contract/index.ts'
import { optionGroups } from '../../renderer/features/servers/hub-options.ts'
import HubOptionsFields from '../../renderer/features/servers/HubOptionsFields.vue'
import en from '../../renderer/locales/en.json' with { type: 'json' }
import { show, type, type Shown } from './show.ts'

let shown: Shown
afterEach(() => shown.wrapper.unmount())

function form(options: Record<string, unknown>, remote = false) {
  const value = ref(options)
  const update = (next: Record<string, unknown>): unknown => (value.value = next)
  const parent = defineComponent(
    () => () => h(HubOptionsFields, { modelValue: value.value, 'onUpdate:modelValue': update, faults: {}, remote }),
  )
  shown = show(parent)
  return value
}

async function choose(label: string, value: string): Promise<void> {
  const select = shown.get('combobox', label) as HTMLSelectElement
  select.value = value
  select.dispatchEvent(new Event('change'))
  await shown.wrapper.vm.$nextTick()
}

async function fill(key: keyof typeof en.config.limit, text: string): Promise<void> {
  type(field(key), text)
  await shown.wrapper.vm.$nextTick()
}

const field = (key: keyof typeof en.config.limit): HTMLElement =>
  [...document.querySelectorAll('label')]
    .filter(({ textContent }) => textContent === en.config.limit[key])
    .map(({ htmlFor }) => document.getElementById(htmlFor))[0]!

describe('the hub’s options of a server', () => {
  it('start on demand and idle stop are set, and leave nothing when they are taken back', async () => {
    const value = form({ description: 'kept' })
    await choose('Start', 'on-demand')
    await fill('idleStopMs', '60000')
    expect(value.value).toEqual({ description: 'kept', start: 'on-demand', idleStopMs: 60_000 })
    await fill('idleStopMs', '')
    await choose('Start', 'always')
    expect(value.value).toEqual({ description: 'kept' })
  })

  it('a limit and what happens over it are set', async () => {
    const value = form({})
    await fill('maxMemoryMb', '512')
    await choose('Over a limit', 'restart')
    expect(value.value).toEqual({ maxMemoryMb: 512, overLimit: 'restart' })
    expect(hubOptionsSchema.safeParse(value.value).success).toBe(true)
  })

  it('roots are written one to a line, and a fault in one of them shows at the field', async () => {
    const roots = en.config.list.roots
    const value = form({}, true)
    type(shown.get('textbox', roots.label), '/srv/data\nfile:///srv/more')
    await shown.wrapper.vm.$nextTick()
    expect(value.value).toEqual({ roots: ['/srv/data', 'file:///srv/more'] })
    type(shown.get('textbox', roots.label), '')
    await shown.wrapper.vm.$nextTick()
    expect(value.value).toEqual({})
    shown.wrapper.unmount()
    const faults = { 'hub.roots.1': 'a root is an absolute path' }
    shown = show(defineComponent(() => () => h(HubOptionsFields, { modelValue: {}, faults, remote: false })))
    expect(shown.wrapper.text()).toContain('a root is an absolute path')
  })

  it('a remote server has no memory to limit', () => {
    form({}, true)
    expect(shown.find('combobox', 'Over a limit')).toBeNull()
    expect(shown.get('combobox', 'Start')).toBeTruthy()
  })

  it('all but the switch and the text that have places of their own are in the form', () => {
    form({})
    const inForm = optionGroups.flatMap(({ choices, numbers, lists = [] }) => [
      ...choices.map(({ key }) => key),
      ...numbers,
      ...lists,
    ])
    const known = Object.keys(hubOptionsSchema.shape).filter((key) => key !== 'enabled' && key !== 'description')
    expect(inForm.toSorted()).toEqual(known.toSorted())
  })
})
