import { computed, inject, provide, reactive, type ComputedRef, type InjectionKey } from 'vue'
import type { SchemaFault } from './validate.ts'

/** What all fields of one form share. */
export interface FormContext {
  /** What does not fit the schema at this place, once it is time to say so. */
  faultsAt: (pointer: string) => SchemaFault[]
  /** Somebody is in a field whose text is no value yet, such as `1e`; null when it is one again. */
  setUnreadable: (id: string, unreadable: boolean) => void
}

const key: InjectionKey<FormContext> = Symbol('schema form')

export function provideForm(faults: () => readonly SchemaFault[]): { unreadable: ComputedRef<boolean> } {
  const ids = reactive(new Set<string>())
  provide(key, {
    faultsAt: (pointer) => faults().filter((fault) => fault.pointer === pointer),
    setUnreadable(id, unreadable) {
      if (unreadable) ids.add(id)
      else ids.delete(id)
    },
  })
  return { unreadable: computed(() => ids.size > 0) }
}

export function useForm(): FormContext {
  const form = inject(key)
  if (form === undefined) throw new Error('useForm() outside a schema form')
  return form
}
