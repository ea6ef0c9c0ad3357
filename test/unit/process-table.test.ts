import { describe, expect, it } from 'vitest'
import { parseCim, parseMarked, parsePs } from '../../hub/upstream/process/printed-processes.ts'
import {
  descendantsOf,
  parseProcStat,
  systemProcessTable,
  type ProcessInfo,
} from '../../hub/upstream/process/process-table.ts'

describe('/proc/PID/stat', () => {
  const line = (name: string, state = 'S'): string =>
    `42 (${name}) ${state} 7 40 40 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 11 0 987654 1000000 2500 18446744073709551615`
  it.each(['node', 'a) S 1 (b', 'with space'])('is read for a process called %j', (name) => {
    expect(parseProcStat(42, line(name), 4_096)).toEqual({
      pid: 42,
      parent: 7,
      group: 40,
      startedAt: '987654',
      rssBytes: 2_500 * 4_096,
      cpuMs: 2_000,
    })
  })
  it('of a process that is dead but not collected counts as none', () => {
    expect(parseProcStat(42, line('node', 'Z'), 4_096)).toBeNull()
  })
})

it('ps of macOS is read', () => {
  const text = [
    '    1     0     1 Sat Aug 29 09:12:01 2026      14320   0:12.34',
    '  812     1   812 Mon Aug 31 10:00:00 2026     204800 1-02:03:04',
    'garbage',
  ].join('\n')
  expect(parsePs(text)).toEqual([
    { pid: 1, parent: 0, group: 1, startedAt: 'Sat Aug 29 09:12:01 2026', rssBytes: 14_320 * 1_024, cpuMs: 12_340 },
    {
      pid: 812,
      parent: 1,
      group: 812,
      startedAt: 'Mon Aug 31 10:00:00 2026',
      rssBytes: 204_800 * 1_024,
      cpuMs: 93_784_000,
    },
  ])
})

it('the mark is found in the environment that ps prints', () => {
  const text =
    ' 11 node server.js HOME=/h MCP_HUB_SERVER=abc.1.2.3 X=y\n 12 node other.js MCP_HUB_SERVER=other.1\n 13 sh'
  expect(parseMarked(text, 'MCP_HUB_SERVER', 'abc.')).toEqual([{ pid: 11, value: 'abc.1.2.3' }])
})

it('Windows’ list is read, also of a single process', () => {
  const one =
    '{"ProcessId":4,"ParentProcessId":0,"Started":133,"WorkingSetSize":8192,"KernelModeTime":100000,"UserModeTime":0}'
  const expected: ProcessInfo = { pid: 4, parent: 0, group: 4, startedAt: '133', rssBytes: 8_192, cpuMs: 10 }
  expect(parseCim(one)).toEqual([expected])
  expect(parseCim(`[${one},${one}]`)).toEqual([expected, expected])
  for (const none of ['', '[{"ProcessId":1', 'The term is not recognized']) expect(parseCim(none)).toEqual([])
})

it('descendants are found at any depth, but not a stranger whose parent’s pid was used again', () => {
  const info = (pid: number, parent: number, startedAt: number): ProcessInfo => ({
    pid,
    parent,
    group: pid,
    startedAt: String(startedAt),
    rssBytes: 0,
    cpuMs: 0,
  })
  const root = info(10, 1, 100)
  const all = [root, info(11, 10, 110), info(12, 11, 120), info(13, 10, 50), info(14, 1, 130)]
  expect(descendantsOf(root, all).map(({ pid }) => pid)).toEqual([11, 12])
})

it('this machine’s table shows ourselves', async () => {
  const table = systemProcessTable()
  const own = (await table.list()).find(({ pid }) => pid === process.pid)
  expect(own?.parent).toBe(process.ppid)
  expect(own?.startedAt).toBe(await table.startTimeOf(process.pid))
  const rss = process.memoryUsage.rss()
  expect(own?.rssBytes).toBeGreaterThan(rss / 2)
  expect(own?.rssBytes).toBeLessThan(rss * 2)
  expect(await table.startTimeOf(2 ** 22 + 1)).toBe('')
})
