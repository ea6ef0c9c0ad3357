import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import path from 'node:path'

/** Null exit code: it was ended because it took too long. */
export interface ToolResult {
  code: number | null
  output: string
}

/** Folders where system tools are that a desktop program's PATH often lacks. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/sbin', '/usr/local/bin', '/opt/homebrew/bin', '/usr/bin']

export async function findTool(name: string): Promise<string | null> {
  const folders = [
    ...(process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => path.isAbsolute(folder)),
    ...SYSTEM_FOLDERS,
  ]
  for (const folder of folders) {
    const file = path.join(folder, process.platform === 'win32' ? `${name}.exe` : name)
    const found = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found) return file
  }
  return null
}

/** Runs a program without a shell, with only the environment that is given, and ends it after the time limit. */
export function runTool(
  file: string,
  args: string[],
  options: { cwd: string; env?: Record<string, string>; timeoutMs: number },
): Promise<ToolResult> {
  const env = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? options.cwd, LC_ALL: 'C', ...options.env }
  return new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      {
        cwd: options.cwd,
        env,
        timeout: options.timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 1_048_576,
        windowsHide: true,
      },
      (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`.trim()
        if (error === null) resolve({ code: 0, output })
        else if (error.killed === true) resolve({ code: null, output })
        else if (typeof error.code === 'number') resolve({ code: error.code, output })
        else reject(new Error(`${file} could not be started: ${error.message}`, { cause: error }))
      },
    )
  })
}
