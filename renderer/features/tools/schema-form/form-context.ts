import { computed, inject, provide, reactive, type ComputedRef, type InjectionKey } from 'vue'
import type { SchemaFault } from './validate.ts'

/** What may stand in an argument that begins as `text` does. */
export type Suggest = (argument: string, text: string, signal: AbortSignal) => Promise<readonly string[]>

/** What all fields of one form share. */
export interface FormContext {
  /** What does not fit the schema at this place, once it is time to say so. */
  faultsAt: (pointer: string) => SchemaFault[]
  /** Somebody is in a field whose text is no value yet, such as `1e`; null when it is one again. */
  setUnreadable: (id: string, unreadable: boolean) => void
  /** For the texts at its top; undefined where nobody suggests any. */
  suggest: Suggest | undefined
}

const key: InjectionKey<FormContext> = Symbol('schema form')

export function provideForm(
  faults: () => readonly SchemaFault[],
  suggest?: Suggest,
): { unreadable: ComputedRef<boolean> } {
  const ids = reactive(new Set<string>())
  provide(key, {
    faultsAt: (pointer) => faults().filter((fault) => fault.pointer === pointer),
    setUnreadable(id, unreadable) {
      if (unreadable) ids.add(id)
      else ids.delete(id)
    },
    suggest,
  })
  return { unreadable: computed(() => ids.size > 0) }
}

export function useForm(): FormContext {
  const form = inject(key)
  if (form === undefined) throw new Error('useForm() outside a schema form')
  return form
}
