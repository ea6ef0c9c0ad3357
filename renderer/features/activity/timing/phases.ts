import type { RequestRecord } from '../../../../hub/contract/index.ts'

export interface Phase {
  /** `hub`: read, checked and routed. `unanswered`: the server was asked, and no answer came. */
  readonly kind: 'hub' | 'wait' | 'server' | 'unanswered' | 'answer'
  readonly from: number
  readonly to: number
}

type Moments = Pick<
  RequestRecord,
  'durationMs' | 'waitedMs' | 'sentMs' | 'notifiedMs' | 'repliedMs' | 'notifications' | 'outcome'
>

/** What is known of its time at the server. */
export interface Part {
  /** `firstByte` is a moment. `client`: the server waited for the client's answers. */
  readonly kind: 'firstByte' | 'client'
  readonly from: number
  readonly to: number
}

/** In the order in which they began. Several questions are one part, as long as all of them waited. */
export function partsOf({
  durationMs,
  firstByteMs,
  askedMs,
  clientMs,
}: Pick<RequestRecord, 'durationMs' | 'firstByteMs' | 'askedMs' | 'clientMs'>): Part[] {
  const parts: Part[] = []
  if (firstByteMs !== null) parts.push({ kind: 'firstByte', from: firstByteMs, to: firstByteMs })
  if (askedMs !== null && clientMs !== null)
    parts.push({ kind: 'client', from: askedMs, to: Math.min(askedMs + clientMs, durationMs) })
  return parts.sort((a, b) => a.from - b.from)
}

/** What a request spent its time on, in order and without gaps; null for one whose moments were not recorded. */
export function phasesOf({ durationMs, waitedMs, sentMs, repliedMs, notifications, outcome }: Moments): Phase[] | null {
  if (notifications === null) return null
  const phases: Phase[] = []
  const add = (kind: Phase['kind'], from: number, to: number): void => {
    // Moments are rounded, each for itself.
    phases.push({ kind, from, to: Math.max(from, Math.min(to, durationMs)) })
  }
  add('hub', 0, waitedMs ?? sentMs ?? durationMs)
  // Who waited and was not sent was refused, or gave up.
  if (waitedMs !== null) add('wait', waitedMs, sentMs ?? durationMs)
  if (sentMs === null) return phases
  // An answer that the hub gives because the server gave none is none of the server's.
  const isAnswered = repliedMs !== null && outcome !== 'timeout'
  add(isAnswered ? 'server' : 'unanswered', sentMs, repliedMs ?? durationMs)
  if (repliedMs !== null) add('answer', repliedMs, durationMs)
  return phases
}

/** Round numbers for an axis up to `max`: at most six of them, 0 included. */
export function ticksOf(max: number): number[] {
  if (max <= 0) return [0]
  const rough = max / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power
  const ticks = Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, index) => index * step)
  // Sums of fractions: 0.30000000000000004.
  return ticks.map((tick) => Number(tick.toPrecision(12)))
}
