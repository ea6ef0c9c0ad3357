import type { Reason } from '../../contract/index.ts'
import { say, told } from '../../say.ts'
import type { Diagnosis } from './diagnose.ts'

const SHOWN_LINES = 20

/** What is known of these lines; null for nothing. Loaded when a server says something before it ends. */
export function diagnosisOf(lines: readonly string[]): Promise<Diagnosis | null> {
  if (lines.length === 0) return Promise.resolve(null)
  // That it ended must be told in any case.
  return import('./diagnose.ts').then(
    ({ diagnose }) => diagnose(lines),
    () => null,
  )
}

/** Why a server process ended: what it wrote last tells more than its exit code. */
export async function exitReason(code: number | null, signal: NodeJS.Signals | null, lines: string[]): Promise<Reason> {
  const how = signal === null ? say`exited with code ${code ?? say`unknown`}` : say`was ended by ${signal}`
  const found = await diagnosisOf(lines)
  const cure =
    found?.cure ??
    (lines.length > 0
      ? say`Read the last lines that it wrote; they usually name the cause.`
      : say`Run its command in a terminal to see what it says.`)
  return told({
    code: 'exited',
    message: found === null ? say`The server process ${how}` : say`The server process ${how}: ${found.cause}`,
    cure,
    ...(lines.length > 0 ? { detail: lines.slice(-SHOWN_LINES).join('\n') } : {}),
  })
}

/** Why a process could not even be started. */
export function spawnReason(
  error: NodeJS.ErrnoException,
  command: { command: string; cwd: string | undefined },
): Reason {
  const cure =
    error.code === 'ENOENT' && command.cwd !== undefined
      ? say`Check that the working directory ${command.cwd} exists.`
      : error.code === 'ENOENT'
        ? say`Its interpreter, which its first line names, is not there: install it.`
        : error.code === 'EACCES'
          ? say`Make the file executable, or name its interpreter as the command.`
          : error.code === 'ENOEXEC'
            ? say`The file is no program for this machine; name its interpreter as the command.`
            : error.code === 'E2BIG'
              ? say`Its arguments and environment are too long for the system: shorten them.`
              : error.code === 'EAGAIN' || error.code === 'EMFILE' || error.code === 'ENOMEM'
                ? say`The machine is out of processes, files or memory: end what is not needed.`
                : say`Check the command and its arguments.`
  return told({ code: 'spawn-failed', message: say`Could not start ${command.command}: ${error.message}`, cure })
}
