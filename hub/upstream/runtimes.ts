import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, isAbsolute, join, resolve, sep } from 'node:path'
import type { Reason } from '../contract/index.ts'

/** Programs that servers are commonly started with, and how a person gets them. */
const installHints: Record<string, string> = {
  node: 'Install Node.js (https://nodejs.org), then restart the server.',
  npx: 'Install Node.js (https://nodejs.org), which brings npx, then restart the server.',
  npm: 'Install Node.js (https://nodejs.org), which brings npm, then restart the server.',
  uvx: 'Install uv (https://docs.astral.sh/uv), which brings uvx, then restart the server.',
  uv: 'Install uv (https://docs.astral.sh/uv), then restart the server.',
  python: 'Install Python (https://www.python.org), or use python3 as the command.',
  python3: 'Install Python (https://www.python.org), then restart the server.',
  docker: 'Install Docker and start it, then restart the server.',
  bun: 'Install Bun (https://bun.sh), then restart the server.',
  bunx: 'Install Bun (https://bun.sh), then restart the server.',
  deno: 'Install Deno (https://deno.com), then restart the server.',
}

/** Finds an executable as execvp would, so that a missing one is explained before anything is spawned. */
export async function resolveExecutable(
  command: string,
  path: string,
  cwd: string | undefined,
): Promise<{ path: string; reason?: never } | { path: null; reason: Reason }> {
  if (cwd !== undefined && !(await isDirectory(cwd))) {
    return {
      path: null,
      reason: {
        code: 'spawn-failed',
        message: `The working directory ${cwd} does not exist`,
        cure: 'Correct cwd, or create the directory.',
      },
    }
  }
  const suffixes =
    process.platform === 'win32' ? ['', ...(process.env['PATHEXT'] ?? '.EXE;.CMD;.BAT').split(';')] : ['']
  const hasFolder = command.includes('/') || command.includes(sep)
  const folders = hasFolder ? [''] : path.split(delimiter).filter((folder) => folder !== '')
  for (const folder of folders) {
    for (const suffix of suffixes) {
      const candidate = hasFolder ? resolve(cwd ?? process.cwd(), command + suffix) : join(folder, command + suffix)
      if (await isExecutable(candidate)) return { path: candidate }
    }
  }
  const hint = installHints[command.toLowerCase()]
  return {
    path: null,
    reason: {
      code: 'command-not-found',
      message: `The command ${command} was not found`,
      cure:
        hint ?? (isAbsolute(command) ? 'Check the path.' : 'Check its spelling, install it, or give its full path.'),
      detail: hasFolder ? `Looked for ${resolve(cwd ?? process.cwd(), command)}` : `Looked in ${folders.join(', ')}`,
    },
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}

const SHELL_TIMEOUT_MS = 3_000
const MARK = '__MCP_HUB_PATH__'

/**
 * The PATH of the user's login shell. A desktop start inherits a short PATH from the session manager, which is why
 * `npx` works in a terminal and not in an app. Bounded in time; falls back to our own PATH.
 */
export async function loginShellPath(): Promise<string> {
  const own = process.env['PATH'] ?? ''
  const shell = process.env['SHELL']
  if (process.platform === 'win32' || shell === undefined || shell === '') return own
  const printed = await new Promise<string>((done) => {
    execFile(
      shell,
      ['-ilc', `printf '${MARK}%s${MARK}' "$PATH"`],
      { timeout: SHELL_TIMEOUT_MS, killSignal: 'SIGKILL', env: { ...process.env, TERM: 'dumb' }, cwd: homedir() },
      (_error, stdout) => done(stdout),
    ).stdin?.end()
  })
  const found = printed.split(MARK)[1] ?? ''
  return [...new Set([...found.split(delimiter), ...own.split(delimiter)])]
    .filter((folder) => folder !== '')
    .join(delimiter)
}

/** The few variables that a server process gets besides those of its entry; never the hub's whole environment. */
export function minimalEnvironment(path: string): Record<string, string> {
  const names =
    process.platform === 'win32'
      ? [
          'APPDATA',
          'HOMEDRIVE',
          'HOMEPATH',
          'LOCALAPPDATA',
          'PROCESSOR_ARCHITECTURE',
          'SYSTEMDRIVE',
          'SYSTEMROOT',
          'TEMP',
          'USERNAME',
          'USERPROFILE',
          'PROGRAMFILES',
          'PATHEXT',
          'COMSPEC',
        ]
      : [
          'HOME',
          'LOGNAME',
          'SHELL',
          'TERM',
          'USER',
          'LANG',
          'LC_ALL',
          'LC_CTYPE',
          'TZ',
          'TMPDIR',
          'XDG_RUNTIME_DIR',
          'XDG_CONFIG_HOME',
          'XDG_CACHE_HOME',
          'XDG_DATA_HOME',
          'DISPLAY',
          'WAYLAND_DISPLAY',
          'SSL_CERT_FILE',
          'NODE_EXTRA_CA_CERTS',
          'HTTP_PROXY',
          'HTTPS_PROXY',
          'NO_PROXY',
          'http_proxy',
          'https_proxy',
          'no_proxy',
        ]
  const env: Record<string, string> = { PATH: path }
  for (const name of names) {
    const value = process.env[name]
    // A value that begins with () is an exported shell function, which some shells execute.
    if (value !== undefined && !value.startsWith('()')) env[name] = value
  }
  return env
}
