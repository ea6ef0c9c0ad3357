import os from 'node:os'

/** Rollbacks of an idle hub; the way there and the way back are the same. */
const TIMES = 6

/**
 * Times `rollback` again and again, each after `calm`; says the middle and the slowest, and what else the machine had to do.
 */
export async function timeRollbacks(
  rollback: () => Promise<unknown>,
  calm: () => Promise<unknown> = () => Promise.resolve(),
): Promise<string> {
  const took: number[] = []
  while (took.length < TIMES) {
    await calm()
    const begun = performance.now()
    await rollback()
    took.push((performance.now() - begun) / 1_000)
  }
  took.sort((a, b) => a - b)
  const [middle = NaN, slowest = NaN] = [took[TIMES / 2], took.at(-1)]
  const load = `${os.loadavg()[0]?.toFixed(1)} programs wanted one of ${os.availableParallelism()} cores`
  return `${middle.toFixed(1)} s, the slowest of ${TIMES} ${slowest.toFixed(1)} s; ${load}`
}
