import { open, readFile, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'

/** No holder needs longer: its requests end by themselves before. */
const STALE_MS = 60_000
const STEP_MS = 25

/** Runs `work` while no other process that locks the same file runs its own. */
export async function withFileLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  while (!(await take(file))) {
    if (await isAbandoned(file)) await rm(file, { force: true })
    else await delay(STEP_MS)
  }
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

async function take(file: string): Promise<boolean> {
  try {
    const handle = await open(file, 'wx', 0o600)
    await handle.writeFile(`${hostname()} ${process.pid}`).finally(() => handle.close())
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** A hub that was killed leaves its lock; on this machine its pid tells, elsewhere only the time. */
async function isAbandoned(file: string): Promise<boolean> {
  const [text, found] = await Promise.all([readFile(file, 'utf8').catch(() => ''), stat(file).catch(() => null)])
  if (found === null) return false
  if (Date.now() - found.mtimeMs > STALE_MS) return true
  const [host, pid] = text.split(' ')
  return host === hostname() && Number(pid) > 0 && !isAlive(Number(pid))
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
