import { setTimeout as delay } from 'node:timers/promises'
import { percentile } from '../lib/statistics.ts'
import { cpuOf, peakMegabytes, resetPeak } from '../lib/processes.ts'
import { Failed, Wrong } from './checks.ts'
import { Crossed, Hung, type Lane } from './lane.ts'

/** Times in milliseconds unless the name says otherwise. */
export interface Figures {
  calls: number
  rate: number
  p50: number
  p99: number
  cpuUs: number
  peakMb: number
  failed: number
  hung: number
  wrong: number
}

export interface Window {
  warmUpMs: number
  ms: number
}

/** One window as it was counted; several of them are one measurement. */
export interface Sample {
  latencies: number[]
  seconds: number
  cpuUs: number
  peakMb: number
  faults: Faults
}

interface Faults {
  failed: number
  hung: number
  wrong: number
}

interface Tally extends Faults {
  latencies: number[]
  firstError: string
}

function count(tally: Tally, error: unknown): void {
  if (error instanceof Hung) tally.hung++
  else if (error instanceof Wrong || error instanceof Crossed) tally.wrong++
  else tally.failed++
  tally.firstError ||= String(error)
}

/** What several windows show together. */
export function figuresOf(samples: Sample[]): Figures {
  const sum = (of: (sample: Sample) => number): number => samples.reduce((total, sample) => total + of(sample), 0)
  const latencies = samples.flatMap((sample) => sample.latencies)
  return {
    calls: latencies.length,
    rate: latencies.length / sum(({ seconds }) => seconds),
    p50: percentile(latencies, 0.5),
    p99: percentile(latencies, 0.99),
    cpuUs: sum(({ cpuUs }) => cpuUs) / latencies.length,
    peakMb: Math.max(...samples.map(({ peakMb }) => peakMb)),
    failed: sum(({ faults }) => faults.failed),
    hung: sum(({ faults }) => faults.hung),
    wrong: sum(({ faults }) => faults.wrong),
  }
}

/** Runs `load` around a window and reads what the process cost in it. */
async function measure(
  pid: number,
  window: Window,
  load: (tally: Tally, over: () => boolean) => Promise<void>,
): Promise<Sample> {
  const tally: Tally = { latencies: [], failed: 0, hung: 0, wrong: 0, firstError: '' }
  let over = false
  const loading = load(tally, () => over)
  await delay(window.warmUpMs)
  if (pid > 0) resetPeak(pid)
  tally.latencies.length = 0
  const cpuBefore = pid > 0 ? cpuOf(pid) : Number.NaN
  const startedAt = performance.now()
  await delay(window.ms)
  const sample: Sample = {
    seconds: (performance.now() - startedAt) / 1000,
    cpuUs: pid > 0 ? cpuOf(pid) - cpuBefore : Number.NaN,
    peakMb: pid > 0 ? peakMegabytes(pid) : Number.NaN,
    latencies: [...tally.latencies],
    faults: tally,
  }
  over = true
  await loading
  if (tally.firstError !== '') console.error(`    ${tally.firstError}`)
  return sample
}

/** Closed loop: each lane sends its next call when the last is answered. */
export function runClosed(
  pid: number,
  lanes: Lane[],
  window: Window,
  one: (lane: Lane) => Promise<void>,
): Promise<Sample> {
  return measure(pid, window, async (tally, over) => {
    await Promise.all(
      lanes.map(async (lane) => {
        while (!over()) {
          const sentAt = performance.now()
          try {
            await one(lane)
            tally.latencies.push(performance.now() - sentAt)
          } catch (error) {
            count(tally, error)
            // A lane that broke stays broken; the others go on.
            if (!(error instanceof Failed)) return
          }
        }
      }),
    )
  })
}

/**
 * Open loop: calls are due at a fixed rate, whether earlier ones are answered or not. Latency counts from when a call was
 * due, as seen by a timer of this process, so that waiting for a free lane counts and this process's own lateness does not.
 */
export function runOpen(
  pid: number,
  lanes: Lane[],
  window: Window,
  perSecond: number,
  one: (lane: Lane) => Promise<void>,
): Promise<Sample> {
  return measure(pid, window, async (tally, over) => {
    const free = [...lanes]
    const waiting: number[] = []
    const running = new Set<Promise<void>>()

    function launch(lane: Lane, dueAt: number): void {
      const call = one(lane)
        .then(
          () => void tally.latencies.push(performance.now() - dueAt),
          (error: unknown) => count(tally, error),
        )
        .finally(() => {
          running.delete(call)
          const next = waiting.shift()
          if (next === undefined) free.push(lane)
          else launch(lane, next)
        })
      running.add(call)
    }

    const startedAt = performance.now()
    let sent = 0
    while (!over()) {
      await delay(1)
      const now = performance.now()
      for (; sent < ((now - startedAt) * perSecond) / 1000; sent++) {
        const lane = free.pop()
        if (lane === undefined) waiting.push(now)
        else launch(lane, now)
      }
    }
    while (running.size > 0) await Promise.all(running)
  })
}
