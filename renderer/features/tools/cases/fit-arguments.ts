import type { JsonObject } from '../../../lib/json.ts'
import { escapePointer, type SchemaFault, type Validate } from '../schema-form/validate.ts'

/** What of saved arguments still goes into the form, and what does not, with why. */
export interface Fitted {
  readonly value: JsonObject
  /** Arguments that were left out, each with the first thing that is wrong with it. */
  readonly leftOut: readonly { readonly name: string; readonly fault: SchemaFault }[]
  /** Names that the schema asks for by now and the case has not. */
  readonly missing: readonly string[]
}

/** Takes of saved arguments what fits the schema as it is today; whole arguments, because half of one means nothing. */
export function fitArguments(saved: JsonObject, validate: Validate | null): Fitted {
  const faults = validate?.(saved) ?? []
  const leftOut = Object.keys(saved).flatMap((name) => {
    const place = `/${escapePointer(name)}`
    const fault = faults.find(({ pointer }) => pointer === place || pointer.startsWith(`${place}/`))
    return fault === undefined ? [] : [{ name, fault }]
  })
  const out = new Set(leftOut.map(({ name }) => name))
  return {
    value: Object.fromEntries(Object.entries(saved).filter(([name]) => !out.has(name))),
    leftOut,
    missing: faults
      .filter(({ keyword, pointer }) => keyword === 'required' && pointer.lastIndexOf('/') === 0)
      .map(({ pointer }) => pointer.slice(1).replaceAll('~1', '/').replaceAll('~0', '~')),
  }
}
