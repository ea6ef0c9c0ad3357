import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

/**
 * @typedef {object} Result
 * @property {number | null} code
 * @property {boolean} timedOut
 * @property {string} output the last 64 kB of both streams; empty when they were inherited
 */

/**
 * Runs a program to its end. At the deadline it ends it together with everything that it started.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{
 *   cwd?: string
 *   env?: NodeJS.ProcessEnv
 *   deadlineMs?: number
 *   show?: boolean
 *   keep?: boolean
 *   heartbeat?: string
 *   signal?: AbortSignal
 * }} [options] `show`: its output goes to ours; `keep`: and is kept; `heartbeat`: said every ten seconds with the time
 * @returns {Promise<Result>} rejects only when the program cannot be started
 */
export function run(command, args, options = {}) {
  const { show = false, keep = true } = options
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: [
        'ignore',
        ...(keep ? /** @type {const} */ (['pipe', 'pipe']) : /** @type {const} */ (['inherit', 'inherit'])),
      ],
    })
    let output = ''
    let timedOut = false
    for (const [stream, target] of /** @type {const} */ ([
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ])) {
      const decoder = new StringDecoder('utf8')
      stream?.on('data', (/** @type {Buffer} */ chunk) => {
        output = (output + decoder.write(chunk)).slice(-65_536)
        if (show) target.write(chunk)
      })
    }
    const end = () => {
      if (child.pid !== undefined) killTree(child.pid)
    }
    const deadline = options.deadlineMs
      ? setTimeout(() => {
          timedOut = true
          end()
        }, options.deadlineMs)
      : undefined
    const started = Date.now()
    const heartbeat = options.heartbeat
    const beat = heartbeat
      ? setInterval(() => console.log(`  ${heartbeat}, ${String(Math.round((Date.now() - started) / 1000))} s`), 10_000)
      : undefined
    options.signal?.addEventListener('abort', end, { once: true })
    const settle = () => {
      clearTimeout(deadline)
      clearInterval(beat)
      options.signal?.removeEventListener('abort', end)
    }
    child.once('error', (error) => {
      settle()
      reject(error)
    })
    child.once('close', (code) => {
      settle()
      resolve({ code, timedOut, output })
    })
  })
}

/**
 * A process and all that descend from it, children after their parents.
 * Read from /proc, since a descendant with a process group of its own is in no group that we could signal.
 * @param {number} pid
 * @returns {number[]}
 */
export function processTree(pid) {
  /** @type {Map<number, number[]>} */
  const children = new Map()
  for (const entry of process.platform === 'linux' ? readdirSync('/proc') : []) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'utf8')
      // The second field is the name in parentheses, which may hold anything; the parent is the fourth.
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
      children.set(parent, [...(children.get(parent) ?? []), Number(entry)])
    } catch {
      // It ended while we were reading.
    }
  }
  const tree = [pid]
  for (const parent of tree) tree.push(...(children.get(parent) ?? []))
  return tree
}

/** @param {number} pid */
export function killTree(pid) {
  for (const member of processTree(pid)) {
    try {
      process.kill(member, 'SIGKILL')
    } catch {
      // Already gone.
    }
  }
}
