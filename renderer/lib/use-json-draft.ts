import { computed, ref, shallowRef, type ComputedRef, type Ref, type ShallowRef } from 'vue'
import { equalJson, isObject, parseExactJson, pretty, type JsonObject, type ParsedJson } from './json.ts'

export type JsonProblem = Exclude<ParsedJson, { ok: true }> | { readonly ok: false; readonly kind: 'not-object' }

export interface JsonDraft {
  /** The object as a form edits it: the last text that could be read. */
  readonly value: ShallowRef<JsonObject>
  /** What the JSON editor holds, also while it cannot be read. */
  readonly text: Ref<string>
  /** Why the text cannot be read; then the form waits and nothing can be sent. */
  readonly problem: ComputedRef<JsonProblem | null>
  setValue: (value: JsonObject) => void
  setText: (text: string) => void
}

/** One object, edited by a form and as JSON, always in step. */
export function useJsonDraft(initial: JsonObject): JsonDraft {
  const value = shallowRef(initial)
  const text = ref(pretty(initial))
  const parsed = computed(() => parseExactJson(text.value))
  const problem = computed<JsonProblem | null>(() => {
    if (!parsed.value.ok) return parsed.value
    return isObject(parsed.value.value) ? null : { ok: false, kind: 'not-object' }
  })
  return {
    value,
    text,
    problem,
    setValue(next) {
      value.value = next
      text.value = pretty(next)
    },
    setText(next) {
      if (next === text.value) return
      text.value = next
      // The text keeps its own layout; the form follows only when the meaning changes.
      if (parsed.value.ok && isObject(parsed.value.value) && !equalJson(parsed.value.value, value.value))
        value.value = parsed.value.value
    },
  }
}
