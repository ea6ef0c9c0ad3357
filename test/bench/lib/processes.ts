import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { deadline } from './waiting.ts'

export interface Started {
  pid: number
  child: ChildProcess
  /** The first capture of `ready` in what it printed. */
  printed: string
  end: () => Promise<void>
}

export interface StartOptions {
  args: string[]
  env?: Record<string, string>
  /** Resolves at the first line of stdout that matches; without it, once the process runs. */
  ready?: RegExp
  cwd?: string
}

const START_MS = 30_000
const END_MS = 5_000
/** Ticks a second of the times in /proc/<pid>/stat: 100 on every Linux that Node runs on. */
const TICK_US = 10_000
const running = new Set<ChildProcess>()

process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Runs a program under the Node that runs this one. */
export async function startNode(options: StartOptions): Promise<Started> {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env
  const child = spawn(process.execPath, options.args, {
    stdio: ['ignore', options.ready === undefined ? 'ignore' : 'pipe', 'pipe'],
    env: { PATH, HOME, TMPDIR, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
  running.add(child)
  let said = ''
  let stderr = ''
  child.stderr?.on('data', (chunk: Buffer) => (stderr = (stderr + chunk.toString()).slice(-4_000)))
  const exited = new Promise<void>((resolve) =>
    child.once('exit', () => {
      running.delete(child)
      resolve()
    }),
  )
  const { ready } = options
  const printed =
    ready === undefined
      ? ''
      : await deadline(
          START_MS,
          () => `${options.args.join(' ')} did not get ready:\n${said}${stderr}`,
          new Promise<string>((resolve, reject) => {
            child.stdout?.on('data', (chunk: Buffer) => {
              if (said.length > 100_000) return
              said += chunk.toString()
              const match = ready.exec(said)
              if (match !== null) resolve(match[1] ?? '')
            })
            child.once('exit', () => reject(new Error(`${options.args.join(' ')} ended:\n${said}${stderr}`)))
          }),
        )
  return {
    pid: child.pid ?? 0,
    child,
    printed,
    end: async () => {
      child.kill('SIGTERM')
      const killer = setTimeout(() => child.kill('SIGKILL'), END_MS)
      await exited
      clearTimeout(killer)
    },
  }
}

/** User and system time of all threads of a process since it started, in microseconds. */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The name, in parentheses, may hold spaces; utime and stime are the 12th and 13th field after it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_US
}

function statusMegabytes(pid: number, key: string): number {
  const match = new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(match?.[1] ?? Number.NaN) / 1024
}

export function residentMegabytes(pid: number): number {
  return statusMegabytes(pid, 'VmRSS')
}

export function peakMegabytes(pid: number): number {
  return statusMegabytes(pid, 'VmHWM')
}

/** Lets the peak begin anew at what is resident now (proc(5), clear_refs). */
export function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5')
}
