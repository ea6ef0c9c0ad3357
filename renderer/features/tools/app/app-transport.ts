import { parseJSONRPCMessage, type JSONRPCMessage, type Transport } from '@modelcontextprotocol/client'
import { createBudget, jsonSize, MAX_MESSAGE_BYTES } from './app-limits.ts'

export interface AppTransportOptions {
  /** The window of the frame; null once it is gone. */
  frame: () => Window | null
  /** Where messages of all windows arrive. */
  page: Pick<Window, 'addEventListener' | 'removeEventListener'>
  record: (from: 'app' | 'host', message: unknown) => void
  /** The app sends too much; nothing of it is heard from then on. */
  onExcess: (kind: 'flood' | 'message') => void
  now: () => number
}

/**
 * Messages from and to one frame, and no other window. The frame has no origin, so its window is all that it is known by, and what
 * is sent to it cannot name one; it leaves its document only for an error page (`frame-src`).
 */
export function createAppTransport(options: AppTransportOptions): Transport {
  const budget = createBudget(options.now)
  let heard = true

  function hear(event: MessageEvent): void {
    const frame = options.frame()
    if (!heard || frame === null || event.source !== frame) return
    const size = jsonSize(event.data, MAX_MESSAGE_BYTES)
    if (size === null || !budget.spend(size)) {
      heard = false
      options.onExcess(size === null ? 'message' : 'flood')
      return
    }
    options.record('app', event.data)
    const message = read(event.data)
    if (message !== null) transport.onmessage?.(message)
  }

  const transport: Transport = {
    start: () => {
      options.page.addEventListener('message', hear)
      return Promise.resolve()
    },
    send: (message) => {
      // Numbers that a double cannot hold are objects here (`exact-json.ts`), which no message can carry.
      const plain: unknown = JSON.parse(JSON.stringify(message))
      options.record('host', plain)
      options.frame()?.postMessage(plain, '*')
      return Promise.resolve()
    },
    close: () => {
      heard = false
      options.page.removeEventListener('message', hear)
      transport.onclose?.()
      return Promise.resolve()
    },
  }
  return transport
}

/** Null for what is no JSON-RPC: tools of the browser post messages, too. It is in the log and nothing more. */
function read(data: unknown): JSONRPCMessage | null {
  try {
    return parseJSONRPCMessage(data)
  } catch {
    return null
  }
}
