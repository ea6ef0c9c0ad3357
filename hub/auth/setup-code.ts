import { randomBytes, timingSafeEqual } from 'node:crypto'
import { readFile, rm, stat } from 'node:fs/promises'
import { writeFileAtomic } from '../config/atomic-file.ts'

const LIFETIME_MS = 15 * 60_000

/**
 * The code that lets the first administrator in: printed, and in a file that only the hub's user can read, for 15 minutes.
 * The file is the truth, so that several processes of one machine have the same code.
 */
export interface SetupCode {
  current: () => Promise<string>
  matches: (code: string) => Promise<boolean>
  /** There is a user now. */
  discard: () => Promise<void>
}

/** An old code is replaced when somebody comes with it, or looks whether one is needed; `announce` is told the new one. */
export function createSetupCode(options: {
  file: string
  announce: (code: string) => void
  now: () => number
}): SetupCode {
  const { file, announce, now } = options

  async function current(): Promise<string> {
    const madeAt = await stat(file).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    )
    if (now() < madeAt + LIFETIME_MS) return (await readFile(file, 'utf8')).trim()
    const code = randomBytes(16).toString('base64url')
    await writeFileAtomic(file, `${code}\n`, 0o600)
    announce(code)
    return code
  }

  return {
    current,
    matches: async (code) => {
      const [given, right] = [Buffer.from(code), Buffer.from(await current())]
      return given.length === right.length && timingSafeEqual(given, right)
    },
    discard: () => rm(file, { force: true }),
  }
}
