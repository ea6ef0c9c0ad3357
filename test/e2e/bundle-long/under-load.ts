import { spawn } from 'node:child_process'
import path from 'node:path'
import { createInterface } from 'node:readline'
import type { LoadResult } from './load.ts'

export const LOAD_PROGRAM = path.join(import.meta.dirname, 'load.ts')

/** At least so many requests while something restarts; a figure that says something about one in ten thousand. */
export const ENOUGH = 50_000

/**
 * Does `disturb` again and again while clients ask, at least `times` and until there were enough requests. `command` starts the
 * load program where it can reach the site.
 */
export async function underLoad(
  command: readonly string[],
  times: number,
  disturb: () => Promise<unknown>,
): Promise<LoadResult & { disturbed: number }> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const next = async (): Promise<string> => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('The load program ended by itself')
    return value
  }
  const asked = async (): Promise<number> => {
    child.stdin.write('?\n')
    return Number(await next())
  }
  let disturbed = 0
  try {
    while (disturbed < times || (await asked()) < ENOUGH) {
      const before = await asked()
      await disturb()
      disturbed++
      // Some time of peace in between, by what is done in it and not by the clock.
      for (let now = await asked(); now < before + 1_000; now = await asked())
        await new Promise((resolve) => setTimeout(resolve, 50))
    }
    child.stdin.end()
    return { ...(JSON.parse(await next()) as LoadResult), disturbed }
  } finally {
    child.kill()
  }
}

export function described({
  requests,
  dropped,
  disturbed,
  seconds,
  slowestMs,
}: LoadResult & { disturbed: number }): string {
  const lost = Object.values(dropped).reduce((sum, count) => sum + count, 0)
  return `${lost} of ${requests.toLocaleString('en')} dropped, ${disturbed} times, ${Math.round(requests / seconds)} a second; slowest ${(slowestMs / 1_000).toFixed(1)} s`
}
