import { useQueryClient } from '@tanstack/vue-query'
import { reactive } from 'vue'
import { useI18n } from 'vue-i18n'
import { toast } from 'vue-sonner'
import { api } from '../../lib/api.ts'
import { copyText } from '../../lib/clipboard.ts'
import { describeError, errorText } from '../../lib/problem.ts'
import { keys } from '../../lib/queries.ts'
import type { ServerConfig } from '../../../hub/contract/index.ts'

type Action = 'enable' | 'disable' | 'restart'

export interface ServerActions {
  /** Names that something is being done to. */
  readonly busy: ReadonlySet<string>
  /** Enabling or disabling several can be taken back from the notice. */
  act: (names: readonly string[], action: Action) => Promise<void>
  /** Deletes at once and offers to put back what was there. */
  remove: (names: readonly string[]) => Promise<void>
}

/** How many requests go out at once for a selection of hundreds. */
const PARALLEL = 6

export function useServerActions(): ServerActions {
  const { t } = useI18n()
  const client = useQueryClient()
  const busy = reactive(new Set<string>())

  /** One failure does not keep the others from being done; what failed is told together. Gives what was done. */
  async function each(
    names: readonly string[],
    what: string,
    work: (name: string) => Promise<unknown>,
  ): Promise<string[]> {
    const queue = names.filter((name) => !busy.has(name))
    const done: string[] = []
    const failures: { name: string; error: unknown }[] = []
    async function worker(): Promise<void> {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        busy.add(name)
        try {
          await work(name)
          done.push(name)
        } catch (error) {
          failures.push({ name, error })
        } finally {
          busy.delete(name)
        }
      }
    }
    await Promise.all(Array.from({ length: Math.min(PARALLEL, queue.length) }, worker))
    await client.invalidateQueries({ queryKey: keys.servers })
    const [first] = failures
    if (first === undefined) return done
    toast.error(t(`servers.failed.${what}`, { name: first.name, n: failures.length }, failures.length), {
      description: errorText(first.error),
      duration: 12_000,
      action: {
        label: t('common.copyDetails'),
        onClick: () =>
          void copyText(failures.map(({ name, error }) => `${name}: ${describeError(error)}`).join('\n\n')),
      },
    })
    return done
  }

  async function act(names: readonly string[], action: Action): Promise<void> {
    const done = await each(names, action, (name) => api.actOnServer(name, action))
    if (action === 'restart' || done.length < 2) return
    const opposite = action === 'enable' ? 'disable' : 'enable'
    toast.success(t(`servers.switched.${action}`, { n: done.length }, done.length), {
      duration: 10_000,
      action: {
        label: t('common.undo'),
        onClick: () => void each(done, opposite, (name) => api.actOnServer(name, opposite)),
      },
    })
  }

  async function putBack(removed: readonly { name: string; config: ServerConfig }[]): Promise<void> {
    const configs = new Map(removed.map(({ name, config }) => [name, config]))
    await each([...configs.keys()], 'undo', async (name) => {
      const config = configs.get(name)
      if (config !== undefined) await api.addServer({ name, config })
    })
  }

  return {
    busy,
    act,
    async remove(names) {
      const removed: { name: string; config: ServerConfig }[] = []
      await each(names, 'delete', async (name) => {
        const { config } = await api.server(name)
        await api.deleteServer(name)
        removed.push({ name, config })
      })
      if (removed.length === 0) return
      toast(t('servers.deleted', { name: removed[0]?.name ?? '', n: removed.length }, removed.length), {
        duration: 10_000,
        action: { label: t('common.undo'), onClick: () => void putBack(removed) },
      })
    },
  }
}
