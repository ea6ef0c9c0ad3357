import { describe, expect, it } from 'vitest'
import { coalesce } from '../../hub/upstream/process/coalesce.ts'
import type { ProcessInfo, ProcessTable } from '../../hub/upstream/process/process-table.ts'
import { createReaper, taskkillArgs, treeOf } from '../../hub/upstream/process/process-tree.ts'

const info = (pid: number, parent: number, startedAt: number): ProcessInfo => ({
  pid,
  parent,
  group: pid,
  startedAt: String(startedAt),
  rssBytes: 0,
  cpuMs: 0,
})

describe('a tree on Windows', () => {
  const others = [info(1, 0, 1), info(50, 1, 500)]
  it('is the server and all below it', () => {
    const all = [...others, info(10, 1, 100), info(11, 10, 110), info(12, 11, 120)]
    expect(treeOf(10, '100', all)).toEqual([10, 11, 12])
    expect(treeOf(10, '', all)).toEqual([10, 11, 12])
  })
  it('is what the server left when it has ended itself', () => {
    const all = [...others, info(11, 10, 110), info(12, 11, 120)]
    expect(treeOf(10, '100', all)).toEqual([11, 12])
  })
  it('is not that of a stranger who has the pid now, nor of one who had it before', () => {
    const stranger = [...others, info(10, 1, 200), info(21, 10, 210)]
    expect(treeOf(10, '100', stranger)).toEqual([])
    expect(treeOf(10, '100', [...stranger, info(11, 10, 110)])).toEqual([11])
    expect(treeOf(10, '100', [...others, info(9, 10, 90)])).toEqual([])
  })
  it('is nothing when it is not known when the server was started and it is gone', () => {
    expect(treeOf(10, '', [...others, info(11, 10, 110)])).toEqual([])
  })
})

describe('ending servers on Windows', () => {
  /** A machine on which taskkill ends what it is told to, and one of the victims starts another in the meantime. */
  function machine(processes: ProcessInfo[], late?: ProcessInfo) {
    const calls: string[][] = []
    let living = processes
    const table: ProcessTable = {
      list: () => Promise.resolve(living),
      startTimeOf: (pid) => Promise.resolve(living.find((one) => one.pid === pid)?.startedAt ?? ''),
      marked: () => Promise.resolve([]),
    }
    const reaper = createReaper(table, 'win32', (args) => {
      calls.push([...args])
      living = living.filter((one) => !args.includes(String(one.pid)))
      if (calls.length === 1 && late !== undefined) living = [...living, late]
      return Promise.resolve()
    })
    return { reaper, calls, living: () => living.map(({ pid }) => pid) }
  }

  it('ends the whole tree, also what was started meanwhile, and nothing else', async () => {
    const { reaper, calls, living } = machine([info(50, 1, 5), info(10, 1, 100), info(11, 10, 110)], info(12, 10, 120))
    await reaper.end(10, 'mark', 3_000, Promise.resolve('100'))
    expect(calls).toEqual([
      ['/f', '/t', '/pid', '10', '/pid', '11'],
      ['/f', '/t', '/pid', '12'],
    ])
    expect(living()).toEqual([50])
  })
  it('finds by the journal what a hub left whose server has ended', async () => {
    const { reaper, living } = machine([info(50, 1, 5), info(11, 10, 110)])
    expect(await reaper.endLeft(10, '100', 'mark', 500)).toBe(true)
    expect(living()).toEqual([50])
    expect(await reaper.endLeft(10, '100', 'mark', 500)).toBe(false)
  })
  it('leaves a stranger alone that has the pid of the journal', async () => {
    const { reaper, calls } = machine([info(10, 1, 900), info(11, 10, 910)])
    expect(await reaper.endLeft(10, '100', 'mark', 500)).toBe(false)
    expect(await reaper.endLeft(10, '', 'mark', 500)).toBe(false)
    expect(calls).toEqual([])
  })
  it('leaves it to taskkill to find the tree where the processes cannot be listed', async () => {
    const { reaper, calls } = machine([])
    await reaper.end(10, 'mark', 0, Promise.resolve(''))
    expect(calls).toEqual([taskkillArgs([10])])
  })
})

it('one run serves all who asked before it began, and never two run at once', async () => {
  let running = 0
  let runs = 0
  const ask = coalesce(async () => {
    expect(++running).toBe(1)
    const mine = ++runs
    await new Promise((resolve) => setImmediate(resolve))
    running--
    if (mine === 3) throw new Error('the third')
    return mine
  })
  const first = [ask(), ask()]
  await new Promise((resolve) => setImmediate(resolve))
  const second = [ask(), ask()]
  expect(await Promise.all(first)).toEqual([1, 1])
  expect(await Promise.all(second)).toEqual([2, 2])
  await expect(ask()).rejects.toThrow('the third')
  expect(await ask()).toBe(4)
})
