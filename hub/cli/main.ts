import { accessUnusedCommand } from './access-unused.ts'
import { auditExportCommand, auditVerifyCommand } from './audit.ts'
import { backupCommand, backupVerifyCommand, restoreCommand } from './backup.ts'
import { configCheckCommand } from './config-check.ts'
import { configDiffCommand, configPullCommand, configPushCommand } from './config-remote.ts'
import { configResetCommand } from './config-reset.ts'
import { configShowCommand } from './config-show.ts'
import { connectCommand } from './connect.ts'
import { configEnrolCommand, deployKeyEnrolCommand } from './deploy-keys.ts'
import { databaseMigrateCommand } from './database-migrate.ts'
import { doctorCommand } from './doctor.ts'
import { envCommand } from './env.ts'
import { keyCreateCommand, keyListCommand, keyRevokeCommand } from './keys.ts'
import { publishCommand } from './publish.ts'
import { diffCommand, pullCommand, pushCommand, rollbackCommand, verifyCommand } from './push.ts'
import { statusCommand } from './status.ts'
import { userAddCommand, userListCommand, userPasswdCommand, userUnlockCommand } from './users.ts'
import { BrokenFile } from '../faults.ts'
import type { ErrorCode } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import {
  CommandError,
  didYouMean,
  exitCodes,
  helpOf,
  parseOptions,
  UsageError,
  usageLine,
  type Command,
  type Io,
} from './command.ts'

const commands: readonly Command[] = [
  publishCommand,
  pushCommand,
  diffCommand,
  verifyCommand,
  rollbackCommand,
  pullCommand,
  configCheckCommand,
  configShowCommand,
  configPushCommand,
  configDiffCommand,
  configPullCommand,
  configEnrolCommand,
  configResetCommand,
  statusCommand,
  doctorCommand,
  envCommand,
  connectCommand,
  userAddCommand,
  userPasswdCommand,
  userUnlockCommand,
  userListCommand,
  keyCreateCommand,
  keyListCommand,
  keyRevokeCommand,
  deployKeyEnrolCommand,
  accessUnusedCommand,
  auditExportCommand,
  auditVerifyCommand,
  databaseMigrateCommand,
  backupVerifyCommand,
  backupCommand,
  restoreCommand,
]

/** Runs one command line and answers its exit code. */
export async function runCli(args: string[], io: Io): Promise<number> {
  if (args.length === 0 || args[0] === '--help' || args[0] === '-h' || args[0] === 'help') {
    io.out(generalHelp())
    return args.length === 0 ? exitCodes.usage : exitCodes.ok
  }
  if (args[0] === '--version' || args[0] === '-v') {
    io.out(`${io.version}\n`)
    return exitCodes.ok
  }
  const command = commands.find(({ name }) => name.split(' ').every((word, index) => args[index] === word))
  if (command === undefined) {
    const typed =
      args
        .filter((arg) => !arg.startsWith('-'))
        .slice(0, 2)
        .join(' ') ||
      (args[0] ?? '')
    const suggestion =
      didYouMean(
        typed,
        commands.map(({ name }) => name),
      ) ||
      didYouMean(
        typed.split(' ')[0] ?? '',
        commands.map(({ name }) => name),
      )
    io.err(`Unknown command '${typed}'.${suggestion}\nUsage: mcp-hub <command> [options]. See mcp-hub --help\n`)
    return exitCodes.usage
  }
  try {
    const values = parseOptions(command, args.slice(command.name.split(' ').length))
    if (values['help'] === true) {
      io.out(helpOf(command))
      return exitCodes.ok
    }
    return await command.run(values, io)
  } catch (error) {
    if (io.signal.aborted && (error === io.signal.reason || (error as Error).name === 'AbortError'))
      return endedBy(io.signal)
    if (error instanceof UsageError) {
      io.err(`${error.message}\n${usageLine(command)}\n`)
      return exitCodes.usage
    }
    if (error instanceof CommandError) {
      io.err(`${error.message}\n${error.cure}\n`)
      return error.exitCode
    }
    if (error instanceof BrokenFile) {
      io.err(`${error.message}\nNothing was done.\n`)
      return exitCodes.config
    }
    if (error instanceof HubError) {
      io.err([error.message, error.cure, ''].filter((line) => line !== undefined).join('\n'))
      return codeOf(error.code)
    }
    io.err(
      `${error instanceof Error ? (error.stack ?? error.message) : String(error)}\nThis is a fault of MCP Hub. Please report it with the lines above.\n`,
    )
    return exitCodes.software
  }
}

/** Whoever reads the answer may have seen enough of it, which is no fault. */
function endedBy({ reason }: AbortSignal): number {
  return (reason as NodeJS.ErrnoException).code === 'EPIPE' ? exitCodes.ok : exitCodes.interrupted
}

function codeOf(code: ErrorCode): number {
  if (['HUB_INTERNAL', 'HUB_STORE_UNAVAILABLE', 'HUB_BUSY'].includes(code)) return exitCodes.unavailable
  return code === 'HUB_FORBIDDEN' ? exitCodes.noPermission : exitCodes.cannotCreate
}

function generalHelp(): string {
  const width = Math.max(...commands.map(({ name }) => name.length))
  return `MCP Hub: one hub for every MCP server and every MCP client.

Usage: mcp-hub <command> [options]

${commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`).join('\n')}

  mcp-hub <command> --help   what a command takes
  mcp-hub --version          the version
`
}
