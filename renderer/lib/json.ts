import { isExactNumber, numberText } from '../../hub/contract/exact-json.ts'

export type JsonObject = Record<string, unknown>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && numberText(value) === null
}

export type ParsedJson =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly kind: 'syntax'; readonly message: string }
  | { readonly ok: false; readonly kind: 'inexact'; readonly literal: string }

/** Parses JSON and refuses numbers that would be sent as another number than the one written. */
export function parseExactJson(text: string): ParsedJson {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return { ok: false, kind: 'syntax', message: error instanceof Error ? error.message : String(error) }
  }
  const literal = inexactNumber(text)
  return literal === null ? { ok: true, value } : { ok: false, kind: 'inexact', literal }
}

/** The first number in valid JSON that a double cannot hold as written, e.g. 9007199254740993. */
export function inexactNumber(json: string): string | null {
  for (const [token] of json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)) {
    if (!token.startsWith('"') && !isExactNumber(token)) return token
  }
  return null
}

export function pretty(value: unknown): string {
  return JSON.stringify(value, null, 2)
}

export function equalJson(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => equalJson(item, b[i]))
  if (!isObject(a) || !isObject(b)) return numberText(a) !== null && numberText(a) === numberText(b)
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equalJson(a[name], b[name]))
  )
}
