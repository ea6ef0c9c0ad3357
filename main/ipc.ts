import { ipcMain, type IpcMainInvokeEvent, type WebContents } from 'electron'
import { commands, type CommandName, type CommandOutput, type CommandResult, type DesktopMessages } from '../preload/contract.ts'
import type { z } from 'zod'
import { isAppUrl } from './app-protocol.ts'

export const COMMAND_CHANNEL = 'command'
export const MESSAGE_CHANNEL = 'message'

export type CommandHandlers = { [N in CommandName]: (input: z.output<(typeof commands)[N]>) => Promise<CommandOutput[N]> | CommandOutput[N] }

/** Who sent a command, as far as it matters. */
export interface Sender {
  url: string
  isMainFrame: boolean
}

/** A command from the page: sender, name and input are checked before a handler sees it. Refusals are values. */
export async function runCommand(handlers: CommandHandlers, sender: Sender, name: unknown, input: unknown): Promise<CommandResult<unknown>> {
  if (!sender.isMainFrame || !isAppUrl(sender.url)) return { ok: false, error: { code: 'FORBIDDEN_SENDER', message: 'Only the page of the app may do this' } }
  // An own key: `toString` and its like are on every object.
  if (typeof name !== 'string' || !Object.hasOwn(commands, name)) return { ok: false, error: { code: 'UNKNOWN_COMMAND', message: `There is no command ${String(name)}` } }
  const command = name as CommandName
  const parsed = commands[command].safeParse(input)
  if (!parsed.success) return { ok: false, error: { code: 'BAD_INPUT', message: parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`).join('; ') } }
  try {
    const handler = handlers[command] as (value: unknown) => unknown
    return { ok: true, value: await handler(parsed.data) }
  } catch (error) {
    return { ok: false, error: { code: 'FAILED', message: error instanceof Error ? error.message : String(error) } }
  }
}

export function handleCommands(handlers: CommandHandlers): void {
  ipcMain.handle(COMMAND_CHANNEL, (event: IpcMainInvokeEvent, name: unknown, input: unknown) =>
    runCommand(handlers, { url: event.senderFrame?.url ?? '', isMainFrame: event.senderFrame !== null && event.senderFrame === event.sender.mainFrame }, name, input),
  )
}

export function sendToPage<K extends keyof DesktopMessages>(contents: WebContents, name: K, message: DesktopMessages[K]): void {
  if (!contents.isDestroyed()) contents.send(MESSAGE_CHANNEL, name, message)
}
