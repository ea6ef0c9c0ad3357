import type { Reason } from '../../contract/index.ts'
import { diagnose } from './diagnose.ts'

const SHOWN_LINES = 20

/** Why a server process ended: what it wrote last tells more than its exit code. */
export function exitReason(code: number | null, signal: NodeJS.Signals | null, lines: string[]): Reason {
  const how = signal === null ? `exited with code ${code ?? 'unknown'}` : `was ended by ${signal}`
  const found = diagnose(lines)
  const cure =
    found?.cure ??
    (lines.length > 0
      ? 'Read the last lines that it wrote; they usually name the cause.'
      : 'Run its command in a terminal to see what it says.')
  return {
    code: 'exited',
    message: found === null ? `The server process ${how}` : `The server process ${how}: ${found.cause}`,
    cure,
    ...(lines.length > 0 ? { detail: lines.slice(-SHOWN_LINES).join('\n') } : {}),
  }
}

/** Why a process could not even be started. */
export function spawnReason(
  error: NodeJS.ErrnoException,
  command: { command: string; cwd: string | undefined },
): Reason {
  const cure =
    error.code === 'ENOENT' && command.cwd !== undefined
      ? `Check that the working directory ${command.cwd} exists.`
      : error.code === 'ENOENT'
        ? 'Its interpreter, which its first line names, is not there: install it.'
        : error.code === 'EACCES'
          ? 'Make the file executable, or name its interpreter as the command.'
          : error.code === 'ENOEXEC'
            ? 'The file is no program for this machine; name its interpreter as the command.'
            : error.code === 'E2BIG'
              ? 'Its arguments and environment are too long for the system: shorten them.'
              : error.code === 'EAGAIN' || error.code === 'EMFILE' || error.code === 'ENOMEM'
                ? 'The machine is out of processes, files or memory: end what is not needed.'
                : 'Check the command and its arguments.'
  return { code: 'spawn-failed', message: `Could not start ${command.command}: ${error.message}`, cure }
}
