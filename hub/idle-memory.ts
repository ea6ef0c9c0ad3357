/**
 * Gives memory back to the system once there is nothing to do. V8 shrinks its young generation and frees what a start or a
 * burst of work left only when it collects the whole heap, and an idle hub allocates too little for that to happen for hours.
 */
export interface IdleMemory {
  /** So many calls were done, or something else was; too dear for each call, once for many of them. */
  worked: (calls: number) => void
}

/** For this thread. Threads that are made of text get it as text, so it may use nothing from outside. */
export function createIdleMemory(collect?: () => void): IdleMemory {
  const soonMs = 800
  const minuteMs = 60_000
  /** After so many calls there is compiled code, which goes with the rest: it is kept while it may be wanted again. */
  const busyCalls = 2_000
  let timer: NodeJS.Timeout | null = null
  let collectedAt = -minuteMs
  let calls = 0

  /** Launchers give `--expose-gc`. What can be had without costs each call: a second context, of `node:vm`. */
  function collectAll(): void {
    // One tick that waits keeps V8's description of what a tick is. Without it the collection throws that away, Node's own
    // code for ticks stays slow from then on, and each call has seven of them: a tenth of what it costs.
    process.nextTick(() => undefined)
    globalThis.gc?.({ type: 'major', flavor: 'last-resort', execution: 'sync' })
  }

  function look(): void {
    timer = null
    calls = 0
    collectedAt = performance.now()
    ;(collect ?? collectAll)()
  }

  return {
    worked: (more) => {
      calls += more
      if (timer !== null) clearTimeout(timer)
      const idleMs = calls > busyCalls ? minuteMs : soonMs
      timer = setTimeout(look, Math.max(idleMs, collectedAt + minuteMs - performance.now())).unref()
    },
  }
}
