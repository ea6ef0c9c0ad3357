import { computed, type ComputedRef } from 'vue'
import { useSession } from '../../lib/session.ts'
import { useUnapprovedTools } from '../tools/queries.ts'

export interface ToolsToApprove {
  readonly key: 'changed' | 'new'
  readonly n: number
}

/**
 * How many tools wait for somebody to approve them; what was put in quarantine waits for nobody. Null while that is asked for,
 * and where it could not be found out.
 */
export function useToolsToApprove(): ComputedRef<ToolsToApprove[] | null> {
  const { canOperate } = useSession()
  const { data } = useUnapprovedTools(canOperate)
  return computed(() => {
    // Nothing waits for somebody who could not approve it.
    if (!canOperate.value) return []
    if (data.value === undefined) return null
    const pins = data.value.map(({ pin }) => pin)
    const counts: ToolsToApprove[] = [
      { key: 'changed', n: pins.filter((pin) => pin === 'changed' || pin === 'held').length },
      { key: 'new', n: pins.filter((pin) => pin === 'new').length },
    ]
    return counts.filter(({ n }) => n > 0)
  })
}
