import {
  computed,
  inject,
  onScopeDispose,
  shallowReactive,
  type Component,
  type ComputedRef,
  type InjectionKey,
} from 'vue'
import { toast } from 'vue-sonner'
import { isMissingCode } from './missing-code.ts'
import { errorText } from './problem.ts'

export type CommandGroup = 'go' | 'act' | 'view' | 'server' | 'tool'

/** Something a person can do. The palette, the shortcuts and the help sheet all read the same list. */
export interface Command {
  readonly id: string
  readonly group: CommandGroup
  readonly title: string
  readonly hint?: string
  readonly keys?: string
  readonly icon?: Component
  readonly run: () => unknown
}

/** Runs a command, also one that takes its time; why it failed is shown to the person who asked for it. */
export async function runCommand({ run, title }: Command): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (!isMissingCode(error)) toast.error(title, { description: errorText(error) })
  }
}

export interface CommandRegistry {
  readonly all: ComputedRef<Command[]>
  /** The source is a function so that titles follow the language and commands come and go with what is in sight. */
  add: (source: () => readonly Command[]) => () => void
}

export function createCommandRegistry(): CommandRegistry {
  const sources = shallowReactive(new Set<() => readonly Command[]>())
  return {
    all: computed(() => [...sources].flatMap((source) => source())),
    add(source) {
      sources.add(source)
      return () => sources.delete(source)
    },
  }
}

export const commandsKey: InjectionKey<CommandRegistry> = Symbol('commands')

export function useCommandRegistry(): CommandRegistry {
  const registry = inject(commandsKey)
  if (registry === undefined) throw new Error('useCommandRegistry() outside the app')
  return registry
}

/** Offers commands for as long as the component lives. */
export function useCommands(source: () => readonly Command[]): void {
  onScopeDispose(useCommandRegistry().add(source))
}
