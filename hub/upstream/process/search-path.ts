import { spawn } from 'node:child_process'
import { homedir, userInfo } from 'node:os'
import path from 'node:path'

/** The PATH that server processes get, and how it came about. */
export interface SearchPath {
  value: string
  /** `environment` where there is no login shell, or it did not tell. */
  source: 'login-shell' | 'environment'
  shell: string | null
  durationMs: number
  readAt: number
  /** Why the login shell did not tell, when it was asked in vain. */
  problem: string | null
}

/** Reads the PATH once, when it is first needed, and again only when asked to. */
export interface SearchPathSource {
  current: () => Promise<SearchPath>
  refresh: () => Promise<SearchPath>
}

export function createSearchPathSource(read: () => Promise<SearchPath>): SearchPathSource {
  let reading: Promise<SearchPath> | null = null
  return {
    current: () => (reading ??= read()),
    refresh: () => (reading = read()),
  }
}

/** The hub's own PATH: what a server on a production machine is given. */
export function ownSearchPath(): SearchPath {
  return {
    value: process.env['PATH'] ?? '',
    source: 'environment',
    shell: null,
    durationMs: 0,
    readAt: Date.now(),
    problem: null,
  }
}

const TIMEOUT_MS = 3_000
const MAX_OUTPUT = 1_000_000
const MARK = '__MCP_HUB_ENVIRONMENT__'

/**
 * The PATH of the user's login shell. A desktop start inherits a short PATH from the session manager, which is why `npx`
 * works in a terminal and not in an app. Bounded in time; falls back to our own PATH.
 */
export async function loginShellPath(
  options: { shell?: string; timeoutMs?: number; env?: Record<string, string | undefined> } = {},
): Promise<SearchPath> {
  const own = ownSearchPath()
  if (process.platform === 'win32') return own
  const startedAt = performance.now()
  const shell = options.shell ?? (process.env['SHELL'] || userInfo().shell || '')
  const answer = await askShell(shell, options.timeoutMs ?? TIMEOUT_MS, options.env ?? process.env)
  const durationMs = Math.round(performance.now() - startedAt)
  const found = 'output' in answer ? pathIn(answer.output) : null
  if (found === null) {
    const problem = 'output' in answer ? `${shell} printed no PATH` : answer.problem
    return { ...own, shell, durationMs, problem }
  }
  return { ...own, value: joinPaths(found, own.value), source: 'login-shell', shell, durationMs }
}

/** The arguments with which a shell runs a command as a person's terminal would. */
export function shellArguments(shell: string): string[] {
  const script = `echo ${MARK}; /usr/bin/env; echo ${MARK}`
  const name = path.posix.basename(shell)
  // csh knows -l only alone; nu wants its options apart.
  if (name === 'csh' || name === 'tcsh') return ['-ic', script]
  if (name === 'nu') return ['-l', '-i', '-c', script.replace('/usr/bin/env', '^/usr/bin/env')]
  return ['-ilc', script]
}

/** PATH as `env` printed it between the marks; whatever else the shell's files print is left out. */
export function pathIn(output: string): string | null {
  const [, printed] = output.split(MARK)
  const line = printed?.split('\n').find((each) => each.startsWith('PATH='))
  const value = line?.slice('PATH='.length).trim()
  return value === undefined || value === '' ? null : value
}

export function joinPaths(first: string, second: string): string {
  const folders = [...first.split(':'), ...second.split(':')].filter((folder) => folder !== '')
  return [...new Set(folders)].join(':')
}

function askShell(
  shell: string,
  timeoutMs: number,
  env: Record<string, string | undefined>,
): Promise<{ output: string } | { problem: string }> {
  if (shell === '' || /\/(nologin|false)$/.test(shell)) return Promise.resolve({ problem: 'there is no login shell' })
  return new Promise((resolve) => {
    // In a session of its own: an interactive shell takes the terminal that it finds, and would stop us with it.
    const child = spawn(shell, shellArguments(shell), {
      env: { ...env, TERM: 'dumb' },
      cwd: homedir(),
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    })
    let output = ''
    const end = (result: { output: string } | { problem: string }): void => {
      clearTimeout(timer)
      resolve(result)
      // What the shell's files started in the background is none of ours, but holds its pipe.
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
      child.stdout.destroy()
    }
    const timer = setTimeout(() => end({ problem: `${shell} took longer than ${timeoutMs / 1_000} s` }), timeoutMs)
    child.once('error', (error) => end({ problem: `${shell} could not be started: ${error.message}` }))
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
      if (output.length > MAX_OUTPUT || output.split(MARK).length > 2) end({ output })
    })
    child.once('close', () => end({ output }))
  })
}
