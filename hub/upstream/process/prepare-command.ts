import type { Reason } from '../../contract/index.ts'
import { say, told } from '../../say.ts'
import { variableOf } from './environment.ts'
import { checkFolder, findExecutable } from './executable.ts'
import { windowsCommand, type WindowsCommand } from './windows-command.ts'

/** A server's command with every reference resolved. */
export interface StdioCommand {
  command: string
  args: string[]
  env: Record<string, string>
  cwd: string | undefined
}

export interface PreparedCommand extends WindowsCommand {
  /** The file that the command stands for, also where another program runs it. */
  program: string
}

/** What is spawned for a command, or why it cannot be; nothing has been started in either case. */
export async function prepareCommand(
  { command, args, env, cwd }: StdioCommand,
  platform: NodeJS.Platform = process.platform,
): Promise<PreparedCommand | { reason: Reason }> {
  const folder = cwd === undefined ? null : await checkFolder(cwd)
  if (folder !== null) return { reason: folder }
  const found = await findExecutable(command, {
    platform,
    path: variableOf(env, 'PATH', platform),
    pathExt: variableOf(env, 'PATHEXT', platform) || undefined,
    cwd: cwd ?? process.cwd(),
  })
  if (found.file === null) return { reason: found.reason }
  if (platform !== 'win32') return { file: found.file, args, verbatim: false, program: found.file }
  try {
    return {
      ...windowsCommand(found.file, args, variableOf(env, 'COMSPEC', platform) || 'cmd.exe'),
      program: found.file,
    }
  } catch (error) {
    return {
      reason: told({
        code: 'spawn-failed',
        message: `${found.file}: ${error instanceof Error ? error.message : String(error)}`,
        cure: say`Take the line break out of the argument, or name an .exe as the command.`,
      }),
    }
  }
}
