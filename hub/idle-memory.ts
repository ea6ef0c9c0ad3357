/**
 * Gives memory back to the system once there is nothing to do. V8 shrinks its young generation and frees what a burst of work
 * left only when it collects the whole heap, and an idle hub allocates too little for that to happen for hours.
 */
export interface IdleMemory {
  /** There was something to do. Too dear for each call; once for many of them. */
  worked: () => void
}

/** For this thread. Threads that are made of text get it as text, so it may use nothing from outside. */
export function createIdleMemory(collect?: () => void): IdleMemory {
  const idleMs = 800
  const everyMs = 60_000
  let timer: NodeJS.Timeout | null = null
  let collectedAt = -everyMs

  /** The way to V8's collector that needs no flag of the process. */
  function collectAll(): void {
    process.getBuiltinModule('node:v8').setFlagsFromString('--expose-gc')
    const gc = process.getBuiltinModule('node:vm').runInNewContext('gc') as NodeJS.GCFunction
    gc({ type: 'major', flavor: 'last-resort', execution: 'sync' })
  }

  function look(): void {
    timer = null
    collectedAt = performance.now()
    ;(collect ?? collectAll)()
  }

  return {
    worked: () => {
      if (timer !== null) clearTimeout(timer)
      timer = setTimeout(look, Math.max(idleMs, collectedAt + everyMs - performance.now())).unref()
    },
  }
}
