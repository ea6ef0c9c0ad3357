const BEGUN_AT = performance.timeOrigin

/**
 * Milliseconds since the epoch as they were when this process began, and what has passed since: whoever sets the clock of the machine
 * does not move it. It stands still while the machine sleeps.
 */
export const steadyNow = (): number => Math.round(BEGUN_AT + performance.now())

/** Time, as code with timers is given it, so that a test can move it. */
export interface Clock {
  /** Milliseconds since the epoch, as the machine's clock has it: for what is shown and kept. */
  now: () => number
  /** Milliseconds from some moment on, moved by time alone: for how long something lasts. `steadyNow` of a real clock. */
  steady: () => number
  /** Runs it once after that time; the answer calls it off. */
  after: (ms: number, run: () => void) => () => void
}

/** The system's time. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: Date.now,
  steady: steadyNow,
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref()
    return () => clearTimeout(timer)
  },
}
