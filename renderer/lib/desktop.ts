import { toast } from 'vue-sonner'
import type { CommandInput, CommandName, CommandOutput, DesktopBridge } from '../../preload/contract.ts'
import { errorText } from './problem.ts'

/** The app around the page, or undefined in a browser. */
export const desktop: DesktopBridge | undefined = typeof window === 'undefined' ? undefined : window.desktop

export class DesktopError extends Error {
  readonly code: string
  override name = 'DesktopError'

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

/** Refusals arrive as values over the bridge; here they become errors again, so that one way of showing them does for all. */
export async function invoke<N extends CommandName>(
  name: N,
  ...input: CommandInput<N> extends undefined ? [] : [CommandInput<N>]
): Promise<CommandOutput[N]> {
  if (desktop === undefined) throw new DesktopError('no-desktop', name)
  const result = await desktop.invoke(name, ...input)
  if (result.ok) return result.value
  throw new DesktopError(result.error.code, result.error.message)
}

/** For what a person asked for and sees happen: why it was refused is shown to them. */
export function invokeOrSay<N extends CommandName>(
  name: N,
  ...input: CommandInput<N> extends undefined ? [] : [CommandInput<N>]
): void {
  invoke(name, ...input).catch((error: unknown) => toast.error(errorText(error)))
}
