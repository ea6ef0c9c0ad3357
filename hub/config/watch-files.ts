import { unwatchFile, watch, watchFile, type FSWatcher } from 'node:fs'
import { join } from 'node:path'

const SETTLE_MS = 100
const POLL_MS = 2_000
/** The link that Kubernetes swaps when it renews what it has mounted. */
const SWAPPED_LINK = '..data'

/**
 * Calls `onChange` once files of a folder have been written, replaced or removed. It is the folder that is watched, because a
 * new file is put in the place of the old one. Where the system has no watcher left to give, the files are looked at again and
 * again instead.
 */
export function watchFiles(folder: string, names: readonly string[], onChange: () => void): { close: () => void } {
  let timer: NodeJS.Timeout | null = null
  let closed = false
  let watcher: FSWatcher | null = null

  function changed(): void {
    // An editor may write it in several steps.
    if (timer !== null) clearTimeout(timer)
    if (!closed) timer = setTimeout(onChange, SETTLE_MS)
  }

  function poll(): void {
    watcher?.close()
    watcher = null
    if (!closed)
      for (const name of names) watchFile(join(folder, name), { interval: POLL_MS, persistent: false }, changed)
  }

  try {
    watcher = watch(folder, { persistent: false }, (_event, name) => {
      if (name === null || name === SWAPPED_LINK || names.includes(name)) changed()
    })
    watcher.on('error', poll)
  } catch {
    poll()
  }
  return {
    close: () => {
      closed = true
      if (timer !== null) clearTimeout(timer)
      watcher?.close()
      for (const name of names) unwatchFile(join(folder, name), changed)
    },
  }
}
