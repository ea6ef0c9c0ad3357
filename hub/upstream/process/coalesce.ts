/** Runs one at a time; one run serves everybody who asked before it began. */
export function coalesce<T>(run: () => Promise<T>): () => Promise<T> {
  let latest: { done: Promise<T>; begun: boolean } | null = null
  return () => {
    if (latest?.begun === false) return latest.done
    const before: Promise<unknown> = latest?.done ?? Promise.resolve()
    const mine = { begun: false, done: before.catch(() => undefined).then(begin) }
    function begin(): Promise<T> {
      mine.begun = true
      return run().finally(() => {
        if (latest === mine) latest = null
      })
    }
    latest = mine
    return mine.done
  }
}
