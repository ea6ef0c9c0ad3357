import { ref, shallowRef, type Ref, type ShallowRef } from 'vue'

export interface Submit<A extends readonly unknown[] = []> {
  readonly busy: Ref<boolean>
  /** Why the last one failed; null while it is tried again. */
  readonly error: ShallowRef<unknown>
  submit: (...given: A) => Promise<void>
}

/** What a dialog does when it is confirmed: once at a time, and with its failure kept for the dialog to show. */
export function useSubmit<A extends readonly unknown[] = []>(work: (...given: A) => Promise<unknown>): Submit<A> {
  const busy = ref(false)
  const error = shallowRef<unknown>(null)
  return {
    busy,
    error,
    async submit(...given) {
      if (busy.value) return
      busy.value = true
      error.value = null
      try {
        await work(...given)
      } catch (reason) {
        error.value = reason
      } finally {
        busy.value = false
      }
    },
  }
}
