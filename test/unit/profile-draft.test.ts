import { describe, expect, it } from 'vitest'
import { selects, type Profile } from '../../hub/contract/index.ts'
import {
  barringRule,
  includesServer,
  isSelected,
  patternsOf,
  setItem,
  setOverride,
  setRule,
  setServer,
} from '../../renderer/features/profiles/profile-draft.ts'

const empty: Profile = { servers: {} }
const whole: Profile = { servers: { one: {} } }
const item = (name: string, readOnly = false): { name: string; readOnly: boolean } => ({ name, readOnly })

describe('choosing a server', () => {
  it('takes all it has, and leaves no trace when it is taken out again', () => {
    const chosen = setServer(empty, 'one', true)
    expect(chosen).toEqual(whole)
    expect(includesServer(chosen, 'one')).toBe(true)
    expect(setServer(chosen, 'one', false)).toEqual(empty)
  })

  it('leaves one out where all others belong to the profile', () => {
    const others: Profile = { servers: {}, otherServers: true }
    expect(includesServer(others, 'one')).toBe(true)
    const without = setServer(others, 'one', false)
    expect(includesServer(without, 'one')).toBe(false)
    expect(isSelected(without, 'one', 'tools', item('a'))).toBe(false)
    expect(includesServer(without, 'two')).toBe(true)
    expect(includesServer(setServer(without, 'one', true), 'one')).toBe(true)
  })
})

describe('choosing an item', () => {
  it('writes as little as says it, and undoes it without a trace', () => {
    const without = setItem(whole, 'one', 'tools', 'a', false)
    expect(without).toEqual({ servers: { one: { tools: { exclude: ['a'] } } } })
    expect(setItem(without, 'one', 'tools', 'a', true)).toEqual(whole)
  })

  it('of a server that is not in the profile takes that one only', () => {
    const one = setItem(empty, 'one', 'tools', 'a', true)
    expect(isSelected(one, 'one', 'tools', item('a'))).toBe(true)
    expect(isSelected(one, 'one', 'tools', item('b'))).toBe(false)
    expect(isSelected(one, 'one', 'prompts', item('p'))).toBe(false)
  })

  it('keeps the rules beside it', () => {
    const ruled: Profile = { servers: { one: { tools: { include: ['get_*'] } } } }
    const more = setItem(ruled, 'one', 'tools', 'delete', true)
    expect(more.servers['one']?.tools).toEqual({ include: ['get_*', 'delete'] })
    const less = setItem(more, 'one', 'tools', 'get_secret', false)
    expect(less.servers['one']?.tools).toEqual({ include: ['get_*', 'delete'], exclude: ['get_secret'] })
    for (const [name, expected] of [
      ['get_a', true],
      ['get_secret', false],
      ['delete', true],
      ['create', false],
    ] as const)
      expect(selects(less.servers['one']?.tools, name)).toBe(expected)
  })

  it('says which rule bars it', () => {
    const barred: Profile = { servers: { one: { tools: { exclude: ['delete_*', 'b'], readOnly: true } } } }
    expect(barringRule(barred, 'one', 'tools', item('delete_x', true))).toBe('delete_*')
    expect(barringRule(barred, 'one', 'tools', item('a'))).toBe('readOnly')
    expect(barringRule(barred, 'one', 'tools', item('b', true))).toBeNull()
  })
})

describe('rules and overrides', () => {
  it('go without a trace when they are emptied', () => {
    const ruled = setRule(whole, 'one', 'tools', 'include', patternsOf(' get_* \n\n, list_*'))
    expect(ruled.servers['one']?.tools).toEqual({ include: ['get_*', 'list_*'] })
    expect(setRule(ruled, 'one', 'tools', 'include', patternsOf('  '))).toEqual(whole)
    const named = setOverride(whole, 'one', 'tools', 'a', { name: 'b' })
    expect(named.servers['one']?.tools?.overrides).toEqual({ a: { name: 'b' } })
    expect(setOverride(named, 'one', 'tools', 'a', null)).toEqual(whole)
  })
})

describe('a rule for a server that is not in the profile', () => {
  const barred = setRule(empty, 'one', 'tools', 'exclude', ['delete_*'])

  it('takes nothing of the server', () => {
    expect(includesServer(barred, 'one')).toBe(false)
    for (const kind of ['tools', 'prompts', 'resources'] as const)
      expect(isSelected(barred, 'one', kind, item('a', true))).toBe(false)
    expect(includesServer(setRule(empty, 'one', 'tools', 'readOnly', true), 'one')).toBe(false)
    const some = setRule(empty, 'one', 'tools', 'include', ['get_*'])
    expect(isSelected(some, 'one', 'tools', item('get_a'))).toBe(true)
    expect(isSelected(some, 'one', 'prompts', item('a'))).toBe(false)
  })

  it('stays when the server is chosen', () => {
    expect(setServer(barred, 'one', true)).toEqual({ servers: { one: { tools: { exclude: ['delete_*'] } } } })
  })
})

it('a template with a star that was taken out can be taken in again', () => {
  const file = item('file:///{path*}')
  const without = setItem(whole, 'one', 'resources', file.name, false)
  expect(isSelected(without, 'one', 'resources', file)).toBe(false)
  expect(barringRule(without, 'one', 'resources', file)).toBeNull()
  expect(setItem(without, 'one', 'resources', file.name, true)).toEqual(whole)
})

it('a rule that was taken back leaves no trace of a server that is not in the profile', () => {
  expect(setRule(empty, 'one', 'tools', 'include', undefined)).toEqual(empty)
})

it('a rule that is set and taken back brings in nothing of a server that was not chosen', () => {
  const taken: [rule: 'include' | 'exclude' | 'readOnly', value: string[] | true][] = [
    ['include', ['read_*']],
    ['exclude', ['delete_*']],
    ['readOnly', true],
  ]
  for (const [rule, value] of taken)
    expect(setRule(setRule(empty, 'one', 'tools', rule, value), 'one', 'tools', rule, undefined)).toEqual(empty)
  const others: Profile = { servers: {}, otherServers: true }
  const without = setServer(others, 'one', false)
  expect(setRule(setRule(without, 'one', 'tools', 'include', ['a']), 'one', 'tools', 'include', undefined)).toEqual(
    without,
  )
})
