import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { instructionsItem } from '../../hub/catalog/definition.ts'
import { openPins, type Pins } from '../../hub/catalog/pins.ts'
import { openFiles } from '../../hub/config/documents.ts'
import { keptText } from '../../hub/config/kept-text.ts'
import type { Pinning } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

const folders: { dispose: () => Promise<void> }[] = []
afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => folder.dispose()))
})

async function pinsWith(policy: Pinning, file?: string): Promise<{ pins: Pins; file: string }> {
  const folder = await temporaryFolder()
  folders.push(folder)
  const at = file ?? path.join(folder.path, 'pins.json')
  const onError = (error: unknown): never => {
    throw error
  }
  const text = keptText(await openFiles(path.dirname(at)), 'pins')
  return { file: at, pins: await openPins({ text, place: at, policy: () => policy, onError, now: () => 1 }) }
}

const reading = { name: 'read', description: 'reads', annotations: { readOnlyHint: true } }
const writing = { name: 'write', description: 'writes' }

describe('a tool seen for the first time', () => {
  it.each([
    [{}, 'approved', 'approved'],
    [{ onFirstSight: 'approve-read-only' }, 'approved', 'new'],
    [{ onFirstSight: 'hold' }, 'new', 'new'],
  ] as const)('by policy %o: %s if it only reads, else %s', async (policy, read, write) => {
    const { pins } = await pinsWith(policy)
    pins.observe('s', [reading, writing])
    expect([pins.state('s', reading), pins.state('s', writing)]).toEqual([read, write])
    expect(pins.admits('s', writing)).toBe(write === 'approved')
  })
})

describe('a definition that changed', () => {
  const changed = { ...writing, description: 'writes, and sends it to somebody' }

  it.each([
    [{}, 'changed', true],
    [{ onChange: 'hold' }, 'held', false],
  ] as const)('by policy %o is %s', async (policy, state, admitted) => {
    const { pins } = await pinsWith(policy)
    pins.observe('s', [writing])
    pins.observe('s', [changed])
    expect(pins.state('s', changed)).toBe(state)
    expect(pins.admits('s', changed)).toBe(admitted)
    expect(pins.pin('s', changed)).toMatchObject({ approved: writing, current: changed, approvedBy: 'policy' })
    const before = pins.revision
    pins.approve('s', changed, 'alice')
    expect(pins.state('s', changed)).toBe('approved')
    expect(pins.revision).toBeGreaterThan(before)
  })
})

describe('what a server tells models', () => {
  it.each([
    [{}, 'begins', 'ends'],
    [{ onChange: 'hold' }, 'begins', null],
    [{ onFirstSight: 'hold' }, null, null],
    [{ onFirstSight: 'approve-read-only' }, null, null],
  ] as const)('by policy %o: %s when it is first seen, %s when it is another', async (policy, first, then) => {
    const { pins } = await pinsWith(policy)
    expect(pins.instructions('s', 'begins')).toBe(first)
    expect(pins.instructions('s', 'ends')).toBe(then)
    expect(pins.instructions('s', null)).toBeNull()
  })

  it('is a change where there was nothing before', async () => {
    const { pins } = await pinsWith({ onChange: 'hold' })
    pins.observe('s', [instructionsItem(null)])
    expect(pins.instructions('s', 'now there is')).toBeNull()
    pins.approve('s', instructionsItem('now there is'), 'alice')
    expect(pins.instructions('s', 'now there is')).toBe('now there is')
  })
})

describe('a decision that is taken back', () => {
  it('gives way to what held before it, also after a restart, and only once', async () => {
    const { pins, file } = await pinsWith({ onFirstSight: 'approve-read-only' })
    pins.observe('s', [reading, writing])
    pins.quarantine('s', reading, 'alice', 7)
    pins.approve('s', writing, 'alice', 7)
    await pins.flush()
    const again = (await pinsWith({ onFirstSight: 'approve-read-only' }, file)).pins
    expect([reading, writing].map((tool) => again.takeBack('s', tool, 7))).toEqual([true, true])
    expect([reading, writing].map((tool) => again.state('s', tool))).toEqual(['approved', 'new'])
    expect(again.pin('s', reading).approvedBy).toBe('policy')
    expect([reading, writing].map((tool) => again.takeBack('s', tool, 7))).toEqual([false, false])
  })

  it('stays where another has been made since', async () => {
    const { pins } = await pinsWith({})
    pins.observe('s', [writing])
    pins.quarantine('s', writing, 'alice', 7)
    pins.approve('s', writing, 'bob', 8)
    expect(pins.takeBack('s', writing, 7)).toBe(false)
    expect(pins.state('s', writing)).toBe('approved')
  })
})

describe('approvals', () => {
  it('outlast the hub, and quarantine outlasts a change of the definition', async () => {
    const { pins, file } = await pinsWith({})
    pins.observe('s', [reading, writing])
    pins.quarantine('s', writing, 'alice')
    await pins.flush()
    const again = await pinsWith({}, file)
    expect(again.pins.state('s', reading)).toBe('approved')
    expect(again.pins.state('s', { ...writing, description: 'new' })).toBe('quarantined')
    expect(JSON.parse(await readFile(file, 'utf8'))).toHaveProperty('servers.s.write.by', 'alice')
  })

  it('are never lost silently: a broken file is told', async () => {
    const { file } = await pinsWith({})
    await writeFile(file, '{ "version": 1')
    await expect(pinsWith({}, file)).rejects.toThrow(/pins\.json is broken/)
  })
})

it('keeps what is seen while an earlier approval is being written', async () => {
  let written = ''
  let finish = (): void => undefined
  const slow = new Promise<void>((resolve) => (finish = resolve))
  const text = {
    read: () => Promise.resolve(written),
    change: async (change: (text: string | null) => Promise<string>) => {
      const next = await change(written)
      await slow
      written = next
    },
    watch: () => ({ close: () => undefined }),
  }
  const pins = await openPins({ text, place: 'pins.json', policy: () => ({}), onError: () => undefined })
  pins.observe('early', [reading])
  const writingNow = pins.flush()
  await new Promise((resolve) => setImmediate(resolve))
  pins.observe('late', [writing])
  finish()
  await writingNow
  expect(pins.admits('late', writing)).toBe(true)
  await pins.flush()
  expect(written).toContain('"late"')
})
