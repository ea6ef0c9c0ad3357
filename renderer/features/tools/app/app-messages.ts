import { shallowRef, type ShallowRef } from 'vue'
import { isObject } from '../../../lib/json.ts'

/** A message between an app and the page, as it is shown. */
export interface AppMessage {
  readonly id: number
  readonly at: number
  readonly from: 'app' | 'host'
  /** Its method, or what it answers. */
  readonly what: string
  readonly text: string
}

const KEPT = 200
const SHOWN = 2_000
/** Nobody reads faster, and a page that is drawn anew with each message of a flood stands still. */
const EVERY_MS = 200

export interface AppMessages {
  readonly list: Readonly<ShallowRef<readonly AppMessage[]>>
  /** How many there were, also those that are kept no longer. */
  readonly count: Readonly<ShallowRef<number>>
  record: (from: AppMessage['from'], message: unknown) => void
}

/** The last 200 messages, each as far as a person reads. */
export function createAppMessages(now: () => number = Date.now): AppMessages {
  const list = shallowRef<readonly AppMessage[]>([])
  const count = shallowRef(0)
  let kept: AppMessage[] = []
  let counted = 0
  let due = false

  function show(): void {
    due = false
    list.value = kept
    count.value = counted
  }
  return {
    list,
    count,
    record: (from, message) => {
      kept = [...kept.slice(1 - KEPT), { id: ++counted, at: now(), from, what: nameOf(message), text: textOf(message) }]
      if (due) return
      due = true
      setTimeout(show, EVERY_MS)
    },
  }
}

function textOf(message: unknown): string {
  const text = JSON.stringify(message) as string | undefined
  if (text === undefined) return String(message)
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text
}

function nameOf(message: unknown): string {
  if (!isObject(message)) return '?'
  const { method, id } = message
  const number = typeof id === 'number' || typeof id === 'string' ? ` #${String(id).slice(0, 40)}` : ''
  if (typeof method === 'string') return method.slice(0, 100) + number
  return ('error' in message ? 'error' : 'result' in message ? 'result' : '?') + number
}
