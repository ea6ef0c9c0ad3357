import { big, echo, listChecker } from '../load/checks.ts'
import { runClosed, runOpen } from '../load/driver.ts'
import { loadStage, type LoadRow } from './load-stage.ts'
import { startHttpUpstream, stdioUpstream } from './fixtures.ts'
import type { Stage } from './stage.ts'

const CONCURRENCIES = [1, 16, 64]
const HUNDRED_KB = 100_000
const ONE_MB = 1_000_000
const OPEN_LOOP_RATE = 1_000
const LIST_SERVERS = 10
const LIST_TOOLS = 50

const closedEcho: LoadRow['run'] = (pid, lanes, window) => runClosed(pid, lanes, window, echo)

function echoRows(kind: 'stdio' | 'http'): LoadRow[] {
  return CONCURRENCIES.map((lanes) => ({
    id: `echo-${kind}-${lanes}`,
    title: `echo, ${kind}, ${lanes} connection${lanes === 1 ? '' : 's'}`,
    lanes,
    upstream: 'up',
    run: closedEcho,
  }))
}

function modernRow(kind: 'stdio' | 'http'): LoadRow {
  return {
    id: `echo-modern-${kind}`,
    title: `echo, 2026-07-28 stateless, ${kind}, 16 connections`,
    lanes: 16,
    era: 'modern',
    upstream: 'modern',
    run: closedEcho,
  }
}

function bigRow(kind: 'stdio' | 'http', label: string, bytes: number, lanes: number): LoadRow {
  return {
    id: `big-${kind}-${label.replace(' ', '').toLowerCase()}`,
    title: `${label} result, ${kind}, ${lanes} connections`,
    lanes,
    upstream: 'up',
    run: (pid, open, window) => runClosed(pid, open, window, (lane) => big(lane, bytes)),
  }
}

export const stdioCalls: Stage = loadStage({
  rows: [
    ...echoRows('stdio'),
    modernRow('stdio'),
    {
      id: 'open-1000',
      title: `echo, stdio, ${OPEN_LOOP_RATE} calls a second whether answered or not`,
      lanes: 64,
      upstream: 'up',
      run: (pid, lanes, window) => runOpen(pid, lanes, window, OPEN_LOOP_RATE, echo),
    },
    bigRow('stdio', '100 KB', HUNDRED_KB, 16),
    bigRow('stdio', '1 MB', ONE_MB, 4),
  ],
  servers: () =>
    Promise.resolve({
      upstreams: [stdioUpstream('up'), stdioUpstream('modern', 'modern')],
      end: () => Promise.resolve(),
    }),
})

export const httpCalls: Stage = loadStage({
  rows: [...echoRows('http'), modernRow('http'), bigRow('http', '1 MB', ONE_MB, 4)],
  servers: async () => {
    const fixtures = await Promise.all([startHttpUpstream('up'), startHttpUpstream('modern', 'modern')])
    return {
      upstreams: fixtures.map(({ config }) => config),
      end: async () => {
        await Promise.all(fixtures.map((fixture) => fixture.end()))
      },
    }
  },
})

export const lists: Stage = loadStage({
  joinLists: true,
  rows: [
    {
      id: 'lists',
      title: `tools/list of ${LIST_SERVERS} servers with ${LIST_TOOLS} tools each, 16 connections`,
      lanes: 16,
      upstream: null,
      run: (pid, lanes, window) => runClosed(pid, lanes, window, listChecker(LIST_SERVERS * LIST_TOOLS)),
    },
  ],
  servers: () =>
    Promise.resolve({
      upstreams: Array.from({ length: LIST_SERVERS }, (_, index) => stdioUpstream(`up${index}`, 'legacy', LIST_TOOLS)),
      end: () => Promise.resolve(),
    }),
})
