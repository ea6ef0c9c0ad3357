import { spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { electronDist, electronPath } from '../electron-path.mjs'
import { root, toolEnv } from './paths.mjs'
import { processTree } from './process.mjs'
import { SetupError } from './setup-error.mjs'
import { hasDisplay, startVirtualDisplay } from './virtual-display.mjs'

/** The app stops its servers within eight seconds; after this it is not going to. */
const STOP_DEADLINE_MS = 15_000

/**
 * What Chromium's sandbox needs that this machine does not give, or null.
 * @param {{ uid: number, appArmorRestricts: boolean, namespacesOff: boolean, helperIsSetuid: boolean }} machine
 * @param {string} helper path of chrome-sandbox
 */
export function sandboxProblem({ uid, appArmorRestricts, namespacesOff, helperIsSetuid }, helper) {
  if (uid === 0 || helperIsSetuid || (!appArmorRestricts && !namespacesOff)) return null
  return new SetupError(
    'This system forbids the sandbox that Electron runs pages in: unprivileged user namespaces are off.',
    `sudo chown root:root '${helper}' && sudo chmod 4755 '${helper}'`,
  )
}

/** @param {string} file */
function readFlag(file) {
  try {
    return readFileSync(file, 'utf8').trim()
  } catch {
    return null
  }
}

function requireSandbox() {
  if (process.platform !== 'linux') return
  const helper = path.join(electronDist(), 'chrome-sandbox')
  const helperStat = statSync(helper, { throwIfNoEntry: false })
  const problem = sandboxProblem(
    {
      uid: process.getuid?.() ?? 0,
      appArmorRestricts: readFlag('/proc/sys/kernel/apparmor_restrict_unprivileged_userns') === '1',
      namespacesOff: readFlag('/proc/sys/kernel/unprivileged_userns_clone') === '0',
      helperIsSetuid: helperStat !== undefined && helperStat.uid === 0 && (helperStat.mode & 0o4000) !== 0,
    },
    helper,
  )
  if (problem) throw problem
}

/**
 * Starts the built app, on a display of our own when there is none.
 * @param {{ args?: readonly string[], env?: NodeJS.ProcessEnv }} [options]
 * @returns {Promise<{
 *   child: import('node:child_process').ChildProcess
 *   ended: Promise<number>
 *   stop: () => Promise<number>
 * }>} `stop` quits the app as its own menu would, and answers with the exit code
 */
export async function launchApp({ args = [], env = {} } = {}) {
  requireSandbox()
  const virtual = hasDisplay() ? null : await startVirtualDisplay()
  if (virtual) {
    console.log(`There is no display, so the app runs on a virtual one (Xvfb ${virtual.display}).`)
    console.log('To see the same pages in a browser, run `npm run hub` instead.')
  }
  // Chromium refuses its sandbox to root; that is what a container runs as.
  const flags = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const child = spawn(electronPath(), ['.', ...flags, ...args], {
    cwd: root,
    env: { ...toolEnv(virtual?.env), ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
    // Ctrl-C reaches the app through us, so that it is asked to quit once instead of losing its helpers first.
    detached: process.platform !== 'win32',
  })
  /** @type {Promise<number>} */
  const ended = new Promise((resolve, reject) => {
    child.once('error', (error) => {
      virtual?.stop()
      reject(error)
    })
    child.once('exit', (code, signal) => {
      virtual?.stop()
      resolve(code ?? (signal === 'SIGTERM' ? 0 : 1))
    })
  })
  const stop = async () => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return ended
    const tree = processTree(child.pid)
    child.kill('SIGTERM')
    const deadline = setTimeout(() => {
      for (const pid of new Set([...tree, ...processTree(child.pid ?? 0)])) {
        try {
          process.kill(pid, 'SIGKILL')
        } catch {
          // Already gone.
        }
      }
    }, STOP_DEADLINE_MS)
    const code = await ended
    clearTimeout(deadline)
    return code
  }
  return { child, ended, stop }
}

/**
 * Calls `stop` when this process is told to end, in whatever way.
 * @param {() => unknown} stop
 */
export function onEnd(stop) {
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) process.on(signal, () => void stop())
  // npm passes a signal on to its shell, and that dies without telling us.
  const parent = process.ppid
  if (process.env['npm_lifecycle_event'] === undefined || process.platform === 'win32') return
  const watch = setInterval(() => {
    if (process.ppid === parent) return
    clearInterval(watch)
    stop()
  }, 500)
  watch.unref()
}
