import { Session } from 'node:inspector/promises'
import { setTimeout } from 'node:timers/promises'
import type { CpuProfile } from '../contract/index.ts'

/**
 * What this process spends its time on, as Chromium's developer tools read it (`.cpuprofile`): names of functions and of the hub's
 * own files, and no value. Rejects with AbortError when `signal` ends it before its time, in milliseconds.
 */
export async function recordCpuProfile(ms: number, signal: AbortSignal): Promise<CpuProfile> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.start')
    await setTimeout(ms, undefined, { signal })
    return (await session.post('Profiler.stop')).profile
  } finally {
    session.disconnect()
  }
}
