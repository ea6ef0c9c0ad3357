import { expect, it } from 'vitest'
import { createCallCounts } from '../../hub/observe/call-counts.ts'
import { renderCalls } from '../../hub/observe/metrics.ts'

it('keeps the number of series bounded, and loses no call over it', () => {
  const counts = createCallCounts()
  const call = { server: 'echo', method: 'tools/call', outcome: 'ok', durationMs: 3 } as const
  for (let n = 0; n < 5_000; n++) counts.count([{ ...call, name: `tool-${n}` }])
  for (let n = 0; n < 50; n++) counts.count([{ ...call, server: null, method: `made/up-${n}`, name: null }])
  const series = [...counts.series()]
  expect(series.length).toBeLessThan(1_010)
  const total = series.reduce((sum, { outcomes }) => sum + (outcomes.get('ok') ?? 0), 0)
  expect(total).toBe(5_050)
  expect(series.find(({ tool }) => tool === 'other')?.outcomes.get('ok')).toBe(4_000)
  expect(series.filter(({ method }) => method === 'other')).toHaveLength(1)
})

it('escapes names, and adds up the spans of durations', () => {
  const counts = createCallCounts()
  const base = { server: 'a"b\\c\n', method: 'tools/call', name: 't', outcome: 'ok' } as const
  counts.count([3, 30, 300_000].map((durationMs) => ({ ...base, durationMs })))
  const text = renderCalls([...counts.series()])
  const labels = 'server="a\\"b\\\\c\\n",method="tools/call",tool="t"'
  expect(text).toContain(`mcp_hub_request_duration_seconds_bucket{${labels},le="0.005"} 1\n`)
  expect(text).toContain(`mcp_hub_request_duration_seconds_bucket{${labels},le="60"} 2\n`)
  expect(text).toContain(`mcp_hub_request_duration_seconds_bucket{${labels},le="+Inf"} 3\n`)
  expect(text).toContain(`mcp_hub_request_duration_seconds_sum{${labels}} 300.033\n`)
})
