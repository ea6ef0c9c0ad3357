import { ipcMain, type IpcMainInvokeEvent, type WebContents } from 'electron'
import type { DesktopMessages } from '../preload/contract.ts'
import { runCommand, type CommandHandlers } from './command-gate.ts'

export const COMMAND_CHANNEL = 'command'
export const MESSAGE_CHANNEL = 'message'

export function handleCommands(handlers: CommandHandlers): void {
  ipcMain.handle(COMMAND_CHANNEL, (event: IpcMainInvokeEvent, name: unknown, input: unknown) =>
    runCommand(
      handlers,
      {
        url: event.senderFrame?.url ?? '',
        isMainFrame: event.senderFrame !== null && event.senderFrame === event.sender.mainFrame,
      },
      name,
      input,
    ),
  )
}

export function sendToPage<K extends keyof DesktopMessages>(
  contents: WebContents,
  name: K,
  message: DesktopMessages[K],
): void {
  if (!contents.isDestroyed()) contents.send(MESSAGE_CHANNEL, name, message)
}
