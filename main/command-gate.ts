import type { z } from 'zod'
import { commands, type CommandName, type CommandOutput, type CommandResult } from '../preload/contract.ts'
import { isAppUrl } from './app-url.ts'

export type CommandHandlers = {
  [N in CommandName]: (input: z.output<(typeof commands)[N]>) => Promise<CommandOutput[N]> | CommandOutput[N]
}

/** Who sent a command, as far as it matters. */
export interface Sender {
  url: string
  isMainFrame: boolean
}

/** A command from the page: sender, name and input are checked before a handler sees it. Refusals are values. */
export async function runCommand(
  handlers: CommandHandlers,
  sender: Sender,
  name: unknown,
  input: unknown,
): Promise<CommandResult<unknown>> {
  if (!sender.isMainFrame || !isAppUrl(sender.url))
    return { ok: false, error: { code: 'FORBIDDEN_SENDER', message: 'Only the page of the app may do this' } }
  // An own key: `toString` and its like are on every object.
  if (typeof name !== 'string' || !Object.hasOwn(commands, name))
    return { ok: false, error: { code: 'UNKNOWN_COMMAND', message: `There is no command ${String(name)}` } }
  const command = name as CommandName
  const parsed = commands[command].safeParse(input)
  if (!parsed.success)
    return {
      ok: false,
      error: {
        code: 'BAD_INPUT',
        message: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; '),
      },
    }
  try {
    const handler = handlers[command] as (value: unknown) => unknown
    return { ok: true, value: await handler(parsed.data) }
  } catch (error) {
    return { ok: false, error: { code: 'FAILED', message: error instanceof Error ? error.message : String(error) } }
  }
}
