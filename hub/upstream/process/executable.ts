import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import path from 'node:path'
import type { Reason } from '../../contract/index.ts'
import { say, told } from '../../say.ts'
import { installHint } from './runtimes.ts'

export interface SearchOptions {
  platform: NodeJS.Platform
  /** Value of PATH. */
  path: string
  /** Value of PATHEXT, on Windows. */
  pathExt: string | undefined
  cwd: string
}

/** The files that a command may stand for, in the order in which they are tried. */
export function executableCandidates(command: string, options: SearchOptions): string[] {
  const { platform, cwd } = options
  const paths = platform === 'win32' ? path.win32 : path.posix
  const hasFolder = command.includes('/') || (platform === 'win32' && command.includes('\\'))
  const folders = hasFolder ? [] : [...new Set(options.path.split(paths.delimiter).filter((folder) => folder !== ''))]
  const bases = hasFolder ? [paths.resolve(cwd, command)] : folders.map((folder) => paths.join(folder, command))
  if (platform !== 'win32') return bases
  const extensions = (options.pathExt ?? '.COM;.EXE;.BAT;.CMD').split(';').filter((extension) => extension !== '')
  const hasExtension = extensions.some((extension) => command.toLowerCase().endsWith(extension.toLowerCase()))
  // npm puts a shell script `npx` beside `npx.cmd`: a file without extension is never what Windows can run.
  return bases.flatMap((base) => [
    ...(hasExtension ? [base] : []),
    ...extensions.map((extension) => base + extension.toLowerCase()),
  ])
}

/** Where a command was found, or why it was not and where it was looked for. */
export type Executable = { file: string } | { file: null; reason: Reason }

/** Finds an executable as execvp would, so that a missing one is explained before anything is spawned. */
export async function findExecutable(command: string, options: SearchOptions): Promise<Executable> {
  const candidates = executableCandidates(command, options)
  let forbidden: string | null = null
  for (const candidate of candidates) {
    const found = await kindOf(candidate, options.platform)
    if (found === 'executable') return { file: candidate }
    if (found === 'not-executable') forbidden ??= candidate
  }
  if (forbidden !== null) {
    return {
      file: null,
      reason: told({
        code: 'spawn-failed',
        message: say`${forbidden} is not executable`,
        cure: say`Make it executable (chmod +x), or name its interpreter as the command.`,
      }),
    }
  }
  return { file: null, reason: notFound(command, candidates, options) }
}

function notFound(command: string, candidates: readonly string[], options: SearchOptions): Reason {
  const paths = options.platform === 'win32' ? path.win32 : path.posix
  const isPath = /[/\\]/.test(command)
  const cure = command.startsWith('~')
    ? say`Write \${home} in place of ~: there is no shell that would expand it.`
    : isPath
      ? say`Check the path; a relative one starts at the working directory.`
      : /\s/.test(command)
        ? say`Put only the program into command, and what follows it into args.`
        : (installHint(command, options.platform) ?? say`Check its spelling, install it, or give its full path.`)
  const places = isPath ? candidates : [...new Set(candidates.map((candidate) => paths.dirname(candidate)))]
  return told({
    code: 'command-not-found',
    message: say`The command ${command} was not found`,
    cure,
    detail:
      places.length === 0
        ? say`PATH is empty`
        : isPath
          ? say`Looked for ${places.join(', ')}`
          : say`Looked in ${places.join(', ')}`,
  })
}

async function kindOf(file: string, platform: NodeJS.Platform): Promise<'executable' | 'not-executable' | 'none'> {
  const found = await stat(file).catch(() => null)
  if (found?.isFile() !== true) return 'none'
  if (platform === 'win32') return 'executable'
  return access(file, constants.X_OK).then(
    () => 'executable',
    () => 'not-executable',
  )
}

/** Why a process cannot be started in a folder; null when it can. */
export async function checkFolder(cwd: string): Promise<Reason | null> {
  const found = await stat(cwd).catch((error: unknown) => error as NodeJS.ErrnoException)
  if (!(found instanceof Error) && found.isDirectory()) return null
  const what = !(found instanceof Error)
    ? say`is no folder`
    : found.code === 'ENOENT'
      ? say`does not exist`
      : say`cannot be opened (${found.code ?? found.message})`
  return told({
    code: 'spawn-failed',
    message: say`The working directory ${cwd} ${what}`,
    cure: cwd.startsWith('~')
      ? say`Write \${home} in place of ~: there is no shell that would expand it.`
      : say`Correct cwd, or create the folder.`,
  })
}
