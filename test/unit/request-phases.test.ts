import { describe, expect, it } from 'vitest'
import { partsOf, phasesOf, ticksOf } from '../../renderer/features/activity/timing/phases.ts'

const none = {
  waitedMs: null,
  sentMs: null,
  notifiedMs: null,
  repliedMs: null,
  notifications: 0,
  outcome: 'ok',
} as const

describe('the phases of a request', () => {
  it('follow each other without a gap, those that it had', () => {
    expect(phasesOf({ ...none, durationMs: 10, sentMs: 1, repliedMs: 9 })).toEqual([
      { kind: 'hub', from: 0, to: 1 },
      { kind: 'server', from: 1, to: 9 },
      { kind: 'answer', from: 9, to: 10 },
    ])
    const waited = phasesOf({ ...none, durationMs: 10, waitedMs: 1, sentMs: 6, repliedMs: 9 })
    expect(waited?.map(({ kind, from, to }) => [kind, from, to])).toContainEqual(['wait', 1, 6])
  })
  it('are only the hub and its waiting when no server was asked', () => {
    expect(phasesOf({ ...none, durationMs: 2, repliedMs: 1 })?.map(({ kind }) => kind)).toEqual(['hub'])
    expect(phasesOf({ ...none, durationMs: 9, waitedMs: 2 })).toEqual([
      { kind: 'hub', from: 0, to: 2 },
      { kind: 'wait', from: 2, to: 9 },
    ])
  })
  it('say when the server did not answer', () => {
    const late = { ...none, durationMs: 60, sentMs: 1, repliedMs: 59, outcome: 'timeout' } as const
    expect(phasesOf(late)?.map(({ kind }) => kind)).toEqual(['hub', 'unanswered', 'answer'])
    const cancelled = { ...none, durationMs: 60, sentMs: 1, outcome: 'cancelled' } as const
    expect(phasesOf(cancelled)?.at(-1)).toEqual({ kind: 'unanswered', from: 1, to: 60 })
  })
  it('are unknown for a request of a hub that did not record them', () => {
    expect(phasesOf({ ...none, durationMs: 10, notifications: null })).toBeNull()
  })
  it('never end after the request, though each moment is rounded for itself', () => {
    expect(phasesOf({ ...none, durationMs: 0.994, sentMs: 0.5, repliedMs: 1 })?.at(-1)).toEqual({
      kind: 'answer',
      from: 1,
      to: 1,
    })
  })
})

it('what is known of the time at the server is in order, and ends with the request', () => {
  const asked = { durationMs: 100, firstByteMs: 60, askedMs: 20, clientMs: 30 }
  expect(partsOf(asked)).toEqual([
    { kind: 'client', from: 20, to: 50 },
    { kind: 'firstByte', from: 60, to: 60 },
  ])
  expect(partsOf({ ...asked, firstByteMs: null, clientMs: 90 })).toEqual([{ kind: 'client', from: 20, to: 100 }])
  expect(partsOf({ durationMs: 1, firstByteMs: null, askedMs: null, clientMs: null })).toEqual([])
})

it('an axis has few ticks, at round numbers', () => {
  expect(ticksOf(10)).toEqual([0, 2, 4, 6, 8, 10])
  expect(ticksOf(0.37)).toEqual([0, 0.1, 0.2, 0.3])
  expect(ticksOf(61_234)).toEqual([0, 20_000, 40_000, 60_000])
  expect(ticksOf(0)).toEqual([0])
})
