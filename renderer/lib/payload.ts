import { parseExactly } from '../../hub/contract/exact-json.ts'
import { isObject, pretty, type JsonObject } from './json.ts'

/** The value of a payload, undefined when it was cut and so is no JSON any more. */
export function parsePayload(text: string | null): unknown {
  if (text === null) return undefined
  try {
    return parseExactly(text)
  } catch {
    return undefined
  }
}

/** The arguments of a recorded `tools/call`, null when they were not kept whole. */
export function argumentsOf(request: string | null): JsonObject | null {
  const params = parsePayload(request)
  if (!isObject(params)) return null
  const { arguments: found = {} } = params
  return isObject(found) ? found : null
}

/** Line by line, for reading and comparing; what was cut stays as it is. */
export function payloadText(text: string | null): string {
  if (text === null) return ''
  const value = parsePayload(text)
  return value === undefined ? text : pretty(value)
}
