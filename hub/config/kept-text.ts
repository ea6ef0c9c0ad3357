import { HubError } from '../hub-error.ts'
import { say, wordsFrom } from '../say.ts'
import type { Documents, KeptName } from './documents.ts'

/** A text that the hub keeps beside the configuration, for itself or with others. */
export interface KeptText {
  /** Null when there is none. Rejects when what is there cannot be read. */
  read: () => Promise<string | null>
  /** Changes the newest text; what the others changed meanwhile is changed again. */
  change: (change: (text: string | null) => Promise<string>) => Promise<void>
  /** Calls back when another hub changed it. */
  watch: (onChange: () => void) => { close: () => void }
}

/** So often may other hubs be quicker before a change is given up. */
const MAX_TRIES = 20

export function keptText(documents: Documents, document: KeptName): KeptText {
  async function look() {
    const found = await documents.read(document)
    if (found.ok) return found
    throw new HubError('HUB_CONFIG_FILE_BROKEN', wordsFrom(found.fault, 'message'), {
      cure: wordsFrom(found.fault, 'cure'),
      faults: [found.fault],
    })
  }
  return {
    read: async () => (await look()).text,
    change: async (change) => {
      for (let tries = 1; ; tries++) {
        const over = await look()
        const text = await change(over.text)
        if (text === over.text || (await documents.write([{ document, text, over }], null, null))) return
        if (tries === MAX_TRIES)
          throw new HubError('HUB_BUSY', say`${documents.placeOf(document)} is changed by others all the time`, {
            retryAfterMs: 1_000,
          })
      }
    },
    watch: (onChange) => (documents.shared ? documents.watch([document], onChange) : { close: () => undefined }),
  }
}
