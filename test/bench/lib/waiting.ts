import { setTimeout as delay } from 'node:timers/promises'

/** The promise's value, or an error with the text of `what` after `ms`. */
export async function deadline<T>(ms: number, what: () => string, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_resolve, reject) => {
        timer = setTimeout(() => reject(new Error(what())), ms)
      }),
    ])
  } finally {
    clearTimeout(timer)
  }
}

/** Tries until it succeeds; the last failure is thrown after `ms`. */
export async function retry<T>(ms: number, stepMs: number, attempt: () => Promise<T>): Promise<T> {
  const end = performance.now() + ms
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (performance.now() > end) throw error
      await delay(stepMs)
    }
  }
}
