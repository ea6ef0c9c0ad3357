import { onScopeDispose, shallowRef, watch, type ShallowRef } from 'vue'
import type { LogLine } from '../../../../hub/contract/index.ts'
import { api } from '../../../lib/api.ts'
import { useLive, useLiveEvents } from '../../../lib/live.ts'
import { mergeLines, prependLines } from './log-buffer.ts'

interface LogTail {
  readonly lines: ShallowRef<readonly LogLine[]>
  readonly error: ShallowRef<unknown>
  readonly loading: ShallowRef<boolean>
  /** There are older lines on the hub's disk. */
  readonly more: ShallowRef<boolean>
  load: () => Promise<void>
  loadOlder: () => Promise<void>
}

/** So many at once: a search in them is the page's own. */
const OLDER_LINES = 5_000

/** What a server wrote, and what it writes from now on. */
export function useLogTail(name: string): LogTail {
  const live = useLive()
  const lines = shallowRef<readonly LogLine[]>([])
  const error = shallowRef<unknown>(null)
  const loading = shallowRef(true)
  const more = shallowRef(false)
  const abort = new AbortController()
  let arrived: LogLine[] = []
  let frame: ReturnType<typeof setTimeout> | undefined

  function flush(): void {
    frame = undefined
    lines.value = mergeLines(lines.value, arrived)
    arrived = []
  }

  async function load(): Promise<void> {
    try {
      const answer = await api.logs(name, {}, abort.signal)
      if (lines.value.length === 0) more.value = answer.more
      lines.value = mergeLines(lines.value, answer.lines)
      error.value = null
    } catch (reason) {
      if (!abort.signal.aborted) error.value = reason
    } finally {
      loading.value = false
    }
  }

  async function loadOlder(): Promise<void> {
    const [oldest] = lines.value
    if (oldest === undefined) return
    const answer = await api.logs(name, { before: oldest.seq, limit: OLDER_LINES }, abort.signal)
    lines.value = prependLines(lines.value, answer.lines)
    more.value = answer.more
  }

  live.watchLogs(name)
  useLiveEvents((event) => {
    if (event.type !== 'server.log' || event.server !== name) return
    arrived.push(...event.lines)
    // One repaint for a burst; not requestAnimationFrame, which stands still in a hidden tab while lines pile up.
    frame ??= setTimeout(flush, 50)
  })
  // The stream begins to carry these lines when it has opened; what was written before is read then.
  watch(live.state, (state) => {
    if (state === 'open') void load()
  })
  void load()

  onScopeDispose(() => {
    live.watchLogs(null)
    abort.abort()
    clearTimeout(frame)
  })
  return { lines, error, loading, more, load, loadOlder }
}
