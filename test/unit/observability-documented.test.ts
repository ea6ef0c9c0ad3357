import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { webhookEvents, WEBHOOK_TEST, type ServerStatus } from '../../hub/contract/index.ts'
import { createMetrics } from '../../hub/observe/metrics.ts'

const read = (): Promise<string> =>
  readFile(path.join(import.meta.dirname, '..', '..', 'docs', 'observability.md'), 'utf8')

/** Names and labels, as a scrape has them. */
async function served(): Promise<Map<string, Set<string>>> {
  const metrics = createMetrics({
    settings: () => ({ enabled: true, intervalMs: null }),
    version: '1.2.3',
    servers: () => [{ name: 'a', state: 'running', restarts: 1 } as ServerStatus],
    sessions: () => 1,
    listens: () => 1,
    eventReaders: () => 1,
    dropped: () => 1,
    lockouts: () => 1,
    refusedPasswords: () => 1,
    newestBackup: () => Promise.resolve(1),
  })
  metrics.count([
    { server: 'a', method: 'tools/call', name: 'echo', outcome: 'ok', durationMs: 5 },
  ] as unknown as Parameters<typeof metrics.count>[0])
  const { text = '' } = (await metrics.scrape()) ?? {}
  const found = new Map([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => [name, new Set<string>()]))
  for (const [, series = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? /gm)) {
    const known = found.get(series) ?? found.get(series.replace(/_(?:bucket|sum|count)$/, ''))
    for (const [, label = ''] of labels.matchAll(/(\w+)="/g)) if (label !== 'le') known?.add(label)
  }
  return found
}

it('docs/observability.md lists every metric with its labels, and no other', async () => {
  const rows = [...(await read()).matchAll(/^\| `((?:mcp_hub|process|nodejs)_\w+)` \| ([^|]*) \|/gm)]
  const documented = new Map(rows.map(([, name = '', labels = '']) => [name, labels.match(/\w+/g) ?? []]))
  const metrics = await served()
  // Those of the process are read from /proc.
  const onLinux = new Set(['process_virtual_memory_bytes', 'process_heap_bytes', 'process_open_fds', 'process_max_fds'])
  const expected = [...documented.keys()].filter((name) => process.platform === 'linux' || !onLinux.has(name))
  expect([...metrics.keys()].sort()).toEqual(expected.sort())
  for (const [name, labels] of metrics) {
    // What was not measured yet, such as a garbage collection, has no series to look at.
    if (labels.size > 0) expect([...labels].sort(), name).toEqual([...(documented.get(name) ?? [])].sort())
  }
  for (const [name, labels] of documented)
    if (name.startsWith('mcp_hub')) expect([...(metrics.get(name) ?? [])].sort(), name).toEqual([...labels].sort())
})

it('docs/observability.md lists every event of a webhook, and no other', async () => {
  const rows = [...(await read()).matchAll(/^\| `((?:hub|server|tools|auth|config|webhook)\.[\w-]+)` \|/gm)]
  expect(rows.map(([, event]) => event).sort()).toEqual([...webhookEvents, WEBHOOK_TEST].sort())
})
