import { numberText } from '../contract/exact-json.ts'
import { isObject } from './json-rpc.ts'

/** Whether it only answers what a server asked: then a refusal would leave a call hanging. */
export function isAnswer(body: unknown): boolean {
  return Array.isArray(body) ? body.every(isAnswer) : isObject(body) && !('method' in body)
}

const LARGE_ID = 'id must be a string or an integer up to 2^53 - 1'

/** What makes a body no JSON-RPC message; null when it is one. */
export function shapeFault(body: unknown): string | null {
  if (Array.isArray(body)) {
    if (body.length === 0) return 'The batch is empty'
    for (const message of body as unknown[]) {
      const fault = Array.isArray(message) ? 'A batch may not hold a batch' : shapeFault(message)
      if (fault !== null) return fault
    }
    return null
  }
  if (!isObject(body)) return 'The body must be a JSON-RPC message'
  if (body['jsonrpc'] !== '2.0') return 'jsonrpc must be "2.0"'
  const id = body['id']
  if (numberText(id) !== null) return LARGE_ID
  if (id !== undefined && typeof id !== 'string' && !(typeof id === 'number' && Number.isFinite(id))) {
    if (!(id === null && 'error' in body && !('method' in body))) return 'id must be a string or a number'
  }
  if (Number.isInteger(id) && !Number.isSafeInteger(id)) return LARGE_ID
  if ('method' in body) {
    if (typeof body['method'] !== 'string' || body['method'] === '') return 'method must be a string'
    if ('params' in body && (typeof body['params'] !== 'object' || body['params'] === null))
      return 'params must be an object'
    return null
  }
  return 'result' in body || 'error' in body ? null : 'The message has neither method nor result nor error'
}

/** The depth of the deepest object or array, counted without parsing; stops once it is over `limit`. */
export function nestingDepth(text: string, limit: number): number {
  // A text too short to be nested so deep needs no look.
  if (text.length <= 2 * limit) return 0
  let depth = 0
  let deepest = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === 0x22) {
      at = endOfString(text, at)
    } else if (code === 0x7b || code === 0x5b) {
      if (++depth > deepest) deepest = depth
      if (deepest > limit) return deepest
    } else if (code === 0x7d || code === 0x5d) depth--
  }
  return deepest
}

/** What a server says is taken no deeper: it can then be written, compared and merged without running out of stack. */
export const MAX_SERVER_DEPTH = 500

/** Whether a value has more levels of objects and arrays than that. */
export function isDeeperThan(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((child) => isDeeperThan(levels - 1, child))
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at)
    if (quote === -1) return text.length
    let slashes = 0
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++
    if (slashes % 2 === 0) return quote
    at = quote + 1
  }
}
