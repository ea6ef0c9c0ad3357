import { isExactNumber } from '../../../../hub/contract/exact-json.ts'

export type ParsedNumber =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly problem: 'notNumber' | 'notInteger' | 'inexact' }

/** A number as it will be sent, or why it would be sent as another one than was typed. */
export function parseNumber(text: string, integer: boolean): ParsedNumber {
  const literal = text.trim()
  if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(literal)) return { ok: false, problem: 'notNumber' }
  if (!isExactNumber(literal)) return { ok: false, problem: 'inexact' }
  const value = Number(literal)
  return integer && !Number.isInteger(value) ? { ok: false, problem: 'notInteger' } : { ok: true, value }
}
