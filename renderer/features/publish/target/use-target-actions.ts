import { useSessionStorage } from '@vueuse/core'
import { useRouter } from 'vue-router'
import type { SavedTarget } from '../../../../hub/contract/index.ts'
import { blankDraft, draftOf, type TargetDraft } from './connection-form.ts'

/** What can be done with a target from its row and from its page. */
export function useTargetActions(): { duplicate: (target: SavedTarget) => Promise<void> } {
  const router = useRouter()
  const draft = useSessionStorage<TargetDraft>('mcp-hub.new-target', blankDraft())
  return {
    /** Begins a new target with what this one has; its name and domain are still to be decided. */
    async duplicate(target) {
      draft.value = { ...draftOf(target), name: `${target.name}-2`.slice(0, 64) }
      await router.push('/publish/new')
    },
  }
}
