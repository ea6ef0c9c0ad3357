import { onScopeDispose, ref, shallowRef, type Ref, type ShallowRef } from 'vue'
import type { TargetInput } from '../../../../hub/contract/index.ts'
import { requestFile } from '../../../lib/client.ts'
import { download } from '../../../lib/download.ts'

export interface Archive {
  /** Bytes that are here already; null when none is on its way. */
  readonly received: Ref<number | null>
  readonly error: ShallowRef<unknown>
  /** Null when it failed or was cancelled. */
  save: (target: TargetInput) => Promise<{ name: string; bytes: number } | null>
  cancel: () => void
}

/** A bundle as an archive that the browser saves. By fetch and not by a link, because a refusal must not become the file. */
export function useArchive(): Archive {
  const received = ref<number | null>(null)
  const error = shallowRef<unknown>(null)
  let abort: AbortController | null = null
  const cancel = (): void => abort?.abort()
  onScopeDispose(cancel)

  return {
    received,
    error,
    cancel,
    async save(target) {
      if (received.value !== null) return null
      const mine = new AbortController()
      abort = mine
      received.value = 0
      error.value = null
      try {
        const { name, content } = await requestFile(
          'POST /api/publish/archive',
          { body: { target }, signal: mine.signal },
          (bytes) => (received.value = bytes),
        )
        download(name ?? 'mcp-hub.tar.gz', 'application/gzip', content)
        return { name: name ?? 'mcp-hub.tar.gz', bytes: content.size }
      } catch (reason) {
        if (!mine.signal.aborted) error.value = reason
        return null
      } finally {
        received.value = null
      }
    },
  }
}
