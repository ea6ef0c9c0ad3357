import { useDebounceFn } from '@vueuse/core'
import { onScopeDispose, ref, watch, type Ref } from 'vue'
import { useRouter } from 'vue-router'

/** The longest pause between two keys of one word. */
const PAUSE_MS = 250

/**
 * The text of a search field whose search is made when typing pauses, because the database is asked. What was typed last is not
 * searched for any more once another page is on its way: it would change the address of that one, or undo the way to it.
 * @param searched what is searched for now, as the address has it
 * @param search has another text searched for, without spaces around it
 */
export function useTypedSearch(searched: () => string, search: (text: string) => void): Ref<string> {
  const router = useRouter()
  const text = ref(searched())
  const later = useDebounceFn((typed: string) => {
    if (typed !== searched()) search(typed)
  }, PAUSE_MS)
  watch(text, (typed) => void later(typed.trim()))
  watch(searched, (q) => {
    if (q !== text.value.trim()) text.value = q
  })
  const unguard = router.beforeEach((to, from) => {
    if (to.path !== from.path) later.cancel()
  })
  onScopeDispose(() => {
    unguard()
    later.cancel()
  })
  return text
}
