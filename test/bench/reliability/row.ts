/** How much of it: the figures of the document, or a part that fits into a test run. */
export interface Scale {
  short: boolean
}

export interface Outcome {
  /** What was measured, in words. */
  measured: string
  pass: boolean
}

/** One figure of reliability. */
export interface Row {
  id: string
  what: string
  /** What must be reached. */
  must: string
  run: (scale: Scale) => Promise<Outcome>
}

/** What this machine or user cannot do is not passed. */
export class CannotMeasure extends Error {}

/** In a test run, with others beside it, a machine may take its time; what takes for ever is still found. */
export const slack = ({ short }: Scale): number => (short ? 10 : 1)

/** Runs `times` of something, `lanes` side by side. */
export async function repeat(times: number, lanes: number, work: (lane: number) => Promise<void>): Promise<void> {
  let left = times
  const lane = async (_: unknown, index: number): Promise<void> => {
    while (left-- > 0) await work(index)
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}
