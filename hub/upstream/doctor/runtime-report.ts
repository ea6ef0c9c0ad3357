import { execFile } from 'node:child_process'
import type { Runtimes } from '../../contract/index.ts'
import { say, told, type Said } from '../../say.ts'
import { variableOf } from '../process/environment.ts'
import { findExecutable } from '../process/executable.ts'
import { installHint, isOlder, runtimeOf, versionIn, type Runtime } from '../process/runtimes.ts'
import type { SearchPath } from '../process/search-path.ts'
import { windowsCommand } from '../process/windows-command.ts'

const VERSION_TIMEOUT_MS = 10_000
const KNOWN = ['node', 'npx', 'uvx', 'python3', 'python', 'docker', 'bun', 'deno']

/** What a program answers to `--version`; null when it says nothing of use. */
export async function versionOf(
  file: string,
  runtime: Runtime,
  env: Record<string, string>,
  platform: NodeJS.Platform = process.platform,
): Promise<string | null> {
  const comSpec = variableOf(env, 'COMSPEC', platform) || 'cmd.exe'
  const command =
    platform === 'win32'
      ? windowsCommand(file, runtime.versionArgs, comSpec)
      : { file, args: [...runtime.versionArgs], verbatim: false }
  return new Promise((resolve) => {
    const child = execFile(
      command.file,
      command.args,
      {
        env,
        timeout: VERSION_TIMEOUT_MS,
        killSignal: 'SIGKILL',
        windowsHide: true,
        windowsVerbatimArguments: command.verbatim,
      },
      (_error, stdout, stderr) => resolve(versionIn(stdout) ?? versionIn(stderr)),
    )
    child.stdin?.end()
  })
}

/** Too old, as a cure; null when it is not. */
export function ageCure(runtime: Runtime, version: string | null): Said | null {
  if (version === null || runtime.oldest === null || !isOlder(version, runtime.oldest)) return null
  return say`${runtime.name} ${version} is older than ${runtime.oldest}, which most servers need: install a newer one.`
}

/** The programs that servers are commonly started with, as a server would find them. */
export async function reportRuntimes(searchPath: SearchPath, env: Record<string, string>): Promise<Runtimes> {
  const { platform } = process
  const separator = platform === 'win32' ? ';' : ':'
  const { value, source, shell, durationMs, readAt, problem } = searchPath
  const runtimes = await Promise.all(
    KNOWN.map(async (command) => {
      const runtime = runtimeOf(command)
      const found = await findExecutable(command, {
        platform,
        path: value,
        pathExt: variableOf(env, 'PATHEXT', platform) || undefined,
        cwd: process.cwd(),
      })
      const name = runtime?.name ?? command
      if (found.file === null || runtime === null)
        return told({ command, name, file: null, version: null, cure: installHint(command, platform) })
      const version = await versionOf(found.file, runtime, env)
      // npx has a version of its own, which is npm's.
      const cure = command === 'npx' ? null : ageCure(runtime, version)
      return told({ command, name, file: found.file, version, cure })
    }),
  )
  const folders = value.split(separator).filter((folder) => folder !== '')
  return { path: { folders, source, shell, durationMs, readAt, problem }, runtimes }
}
