import { useQueryClient } from '@tanstack/vue-query'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import type { PinsSet } from '../../../hub/contract/index.ts'
import { api } from '../../lib/api.ts'
import { useFormat } from '../../lib/format.ts'
import { errorText } from '../../lib/problem.ts'
import { keys } from '../../lib/queries.ts'

export type PinAction = 'approve' | 'quarantine'

/** A definition that was looked at; without a tool, the server's instructions. */
export interface LookedAt {
  readonly server: string
  readonly tool: string | null
  readonly hash: string | null
}

interface Options {
  /** Do what can be done and give back the rest; without it, one that cannot be approved is an error. */
  each?: boolean
  /** What the notice says when so many are done. */
  done: (count: number) => string
}

/** Approves definitions, or puts them in quarantine; the notice takes back what was done. */
export function useSetPins(): (
  action: PinAction,
  tools: readonly LookedAt[],
  options: Options,
) => Promise<PinsSet['tools']> {
  const { t } = useI18n()
  const format = useFormat()
  const client = useQueryClient()
  const refresh = (): Promise<unknown> =>
    Promise.all([client.invalidateQueries({ queryKey: keys.tools }), client.invalidateQueries({ queryKey: ['pin'] })])

  async function undo(at: number, done: PinsSet['tools']): Promise<void> {
    try {
      const answer = await api.setPins({ action: 'undo', at, tools: done.map(pinned) })
      const kept = answer.tools.filter(({ outcome }) => outcome !== 'done').length
      if (kept > 0) toast.warning(t('pins.notUndone', { n: format.value.number(kept) }, kept), { duration: 12_000 })
      await refresh()
    } catch (reason) {
      toast.error(t('pins.undoFailed'), { description: errorText(reason), duration: 12_000 })
    }
  }

  return async (action, tools, { each = false, done: says }) => {
    const answer = await api.setPins({
      action,
      ...(each ? { each } : {}),
      // What was looked at is what is approved; a definition that came since is told of instead.
      tools: tools.map((one) => ({
        ...pinned(one),
        ...(action === 'approve' && one.hash !== null ? { hash: one.hash } : {}),
      })),
    })
    const done = answer.tools.filter(({ outcome }) => outcome === 'done')
    if (done.length > 0)
      toast.success(says(done.length), {
        duration: 10_000,
        action: { label: t('common.undo'), onClick: () => void undo(answer.at, done) },
      })
    await refresh()
    return answer.tools
  }
}

function pinned({ server, tool }: { server: string; tool: string | null }): { server: string; tool?: string } {
  return { server, ...(tool === null ? {} : { tool }) }
}
