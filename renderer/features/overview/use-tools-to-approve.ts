import { computed, type ComputedRef } from 'vue'
import type { ListedTool } from '../../../hub/contract/index.ts'
import type { Query } from '../../lib/queries.ts'
import { useSession } from '../../lib/session.ts'
import { useUnapprovedTools } from '../tools/queries.ts'

export interface ToolsToApprove {
  readonly key: 'changed' | 'new'
  readonly n: number
}

/**
 * How many tools wait for somebody to approve them; what was put in quarantine waits for nobody. Null while that is asked for,
 * and where it could not be found out: why is in the query.
 */
export function useToolsToApprove(): { counts: ComputedRef<ToolsToApprove[] | null>; query: Query<ListedTool[]> } {
  const { canOperate } = useSession()
  const query = useUnapprovedTools(canOperate)
  const counts = computed(() => {
    // Nothing waits for somebody who could not approve it.
    if (!canOperate.value) return []
    if (query.data.value === undefined) return null
    const pins = query.data.value.map(({ pin }) => pin)
    const all: ToolsToApprove[] = [
      { key: 'changed', n: pins.filter((pin) => pin === 'changed' || pin === 'held').length },
      { key: 'new', n: pins.filter((pin) => pin === 'new').length },
    ]
    return all.filter(({ n }) => n > 0)
  })
  return { counts, query }
}
