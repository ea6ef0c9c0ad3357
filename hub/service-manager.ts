import { spawn } from 'node:child_process'
import { systemClock, type Clock } from './clock.ts'

/** What starts this hub and wants to know how it is: systemd with `Type=notify`, or nobody. */
export interface ServiceManager {
  /** It serves. From now on it also says so again and again, where somebody watches for it. */
  ready: () => void
  /** It ends, and may take its time. */
  stopping: () => void
}

/** Sends messages of sd_notify(3), and does not wait for it. */
export type Notify = (messages: readonly string[]) => void

/**
 * Speaks sd_notify(3) where the environment asks for it. The variables are taken out: a server that this hub starts must not
 * speak for it. The watchdog is fed by a timer of the event loop, so a hub whose loop stands still is ended and started again.
 */
export function openServiceManager(
  env: NodeJS.ProcessEnv,
  { notify = systemdNotify(env['NOTIFY_SOCKET']), clock = systemClock }: { notify?: Notify; clock?: Clock } = {},
): ServiceManager {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = env
  for (const name of ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID']) Reflect.deleteProperty(env, name)
  if (NOTIFY_SOCKET === undefined) return { ready: () => undefined, stopping: () => undefined }
  const watched = WATCHDOG_PID === undefined || WATCHDOG_PID === String(process.pid)
  const everyMs = watched ? Number(WATCHDOG_USEC) / 1_000 / 3 : NaN

  function feed(): void {
    if (!(everyMs > 0)) return
    clock.after(everyMs, () => {
      notify(['WATCHDOG=1'])
      feed()
    })
  }

  return {
    ready: () => {
      notify(['READY=1'])
      feed()
    },
    // The drain is watched as well: the timer goes on.
    stopping: () => notify(['STOPPING=1']),
  }
}

/** Node has no sockets of the kind that systemd listens on, but whoever has systemd has this program. */
function systemdNotify(socket: string | undefined): Notify {
  return (messages) => {
    const child = spawn('systemd-notify', [...messages], {
      env: { PATH: process.env['PATH'], NOTIFY_SOCKET: socket },
      stdio: 'ignore',
    })
    child.on('error', (error) => {
      process.stderr.write(`systemd cannot be told ${messages.join(' ')}: ${error.message}\n`)
    })
    child.unref()
  }
}
