import { expect, it } from 'vitest'
import type { Profile } from '../../hub/contract/index.ts'
import ProfileOptions from '../../renderer/features/profiles/ProfileOptions.vue'
import ProfileRules from '../../renderer/features/profiles/ProfileRules.vue'
import { mountInPage } from './mount.ts'

const profile: Profile = { servers: { one: {} } }

it('a rule typed line by line becomes patterns, and the switch a rule', async () => {
  const wrapper = mountInPage(ProfileRules, { modelValue: profile, server: 'one', kind: 'tools', disabled: false })
  const [include] = wrapper.findAll('textarea')
  await include?.setValue('get_*\nlist_*')
  await include?.trigger('change')
  expect(wrapper.emitted('update:modelValue')?.at(-1)).toEqual([
    { servers: { one: { tools: { include: ['get_*', 'list_*'] } } } },
  ])
  await wrapper.get('[role="switch"]').trigger('click')
  expect(wrapper.emitted('update:modelValue')?.at(-1)).toEqual([
    { servers: { one: { tools: { include: ['get_*', 'list_*'], readOnly: true } } } },
  ])
})

it('rules of prompts have no switch for tools that change nothing', () => {
  const wrapper = mountInPage(ProfileRules, { modelValue: profile, server: 'one', kind: 'prompts', disabled: false })
  expect(wrapper.find('[role="switch"]').exists()).toBe(false)
})

it('what is switched off or emptied is not written', async () => {
  const wrapper = mountInPage(ProfileOptions, {
    modelValue: { description: 'x', servers: {}, toolSearch: true } satisfies Profile,
    preview: undefined,
    disabled: false,
  })
  await wrapper.get('input').setValue('')
  expect(wrapper.emitted('update:modelValue')?.at(-1)).toEqual([{ servers: {}, toolSearch: true }])
  await wrapper.get('[role="switch"]').trigger('click')
  expect(wrapper.emitted('update:modelValue')?.at(-1)).toEqual([{ servers: {} }])
})

it('nothing can be changed by somebody who may not', () => {
  const wrapper = mountInPage(ProfileRules, { modelValue: profile, server: 'one', kind: 'tools', disabled: true })
  expect(wrapper.findAll('textarea').every((area) => area.attributes('disabled') !== undefined)).toBe(true)
  expect(wrapper.get('[role="switch"]').attributes('disabled')).toBeDefined()
})
