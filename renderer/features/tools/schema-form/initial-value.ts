import type { JsonObject } from '../../../lib/json.ts'
import type { Field } from './normalize.ts'

/**
 * What a form begins with: of the required fields those of which the schema itself says the value. All else is left out
 * until somebody gives it, for what is not sent the server has its own defaults.
 */
export function initialValue(field: Field): JsonObject {
  const value = requiredValue(field)
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
}

function requiredValue(field: Field): unknown {
  if (field.default !== undefined) return field.default
  if (field.kind === 'choice' && field.options.length === 1 && !field.nullable) return field.options[0]?.value
  if (field.kind !== 'object') return undefined
  return Object.fromEntries(
    field.fields.flatMap(({ name, required, field: inner }) => {
      const value = required ? requiredValue(inner) : undefined
      return value === undefined ? [] : [[name, value]]
    }),
  )
}
