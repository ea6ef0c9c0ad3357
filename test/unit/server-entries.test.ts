import { describe, expect, it } from 'vitest'
import { checkIfMatch, entityTag } from '../../hub/config/entity-tag.ts'
import { entryFault, makeEntry } from '../../renderer/features/servers/add/entries.ts'
import { commandText } from '../../renderer/features/servers/command-text.ts'
import { configFaults, otherFaults } from '../../renderer/features/servers/config-faults.ts'

describe('the command of an entry', () => {
  it('is shown whole, with arguments that are empty', () => {
    expect(commandText({ command: 'npx', args: ['-y', 'server', '', '/data'] })).toBe("npx -y server '' /data")
    expect(commandText({ command: '' })).toBe('')
  })
})

describe('the faults of an entry', () => {
  const local = { command: 'npx' }
  const remote = { type: 'http', url: 'https://x/mcp' }
  it.each<[string, object, string[]]>([
    ['a key like one of a field', { ...local, environment: { A: '1' } }, ['environment']],
    ['an unknown option', { ...local, hub: { unknown: 1 } }, ['hub.unknown']],
    ['an option without a field', { ...local, hub: { proxy: 'foo' } }, ['hub.proxy']],
    ['a part of an option', { ...remote, hub: { tls: { cert: 'x' } } }, ['hub.tls']],
    ['a value of a pair', { ...local, env: { A: 1 } }, ['env.A']],
    ['a type that no local server has', { ...local, type: 'local' }, ['type']],
    ['options that a remote server has no field for', { ...remote, hub: { maxMemoryMb: 'x' } }, ['hub.maxMemoryMb']],
  ])('are told beside the form for %s', (_what, config, paths) => {
    const told = otherFaults(configFaults(config), config)
    for (const path of paths) expect(told.some((text) => text.startsWith(path))).toBe(true)
  })
  it.each<[string, object]>([
    ['command', { command: 1 }],
    ['url', { type: 'http', url: 'no' }],
    ['hub.startTimeoutMs', { ...local, hub: { startTimeoutMs: -1 } }],
    ['hub.roots.0', { ...local, hub: { roots: [1] } }],
  ])('are told at the field of %s', (path, config) => {
    const faults = configFaults(config)
    expect(faults).toHaveProperty([path])
    expect(otherFaults(faults, config)).toEqual([])
  })
  it('are also that what was written last cannot be read', () => {
    const entry = makeEntry('notes', local)
    expect(entryFault(entry, [entry], new Set())).toBeNull()
    expect(entryFault({ ...entry, unreadable: true }, [entry], new Set())).toEqual({ kind: 'config' })
  })
})

describe('the tag of an entry', () => {
  it('is the same in another order of its keys, and of the keys in them', () => {
    const tag = entityTag({ command: 'a', env: { A: '1', B: '2' }, args: ['x', 'y'] })
    const other = { args: ['x', 'y'], env: { B: '2', A: '1' }, command: 'a' }
    expect(() => checkIfMatch(tag, other)).not.toThrow()
    expect(() => checkIfMatch(tag, { ...other, args: ['y', 'x'] })).toThrow('Somebody else changed it')
  })
})
