import { equalJson, isObject } from '../../../lib/json.ts'
import type { Field } from './normalize.ts'

/** Whether a field's control can show this value as it is. */
export function fits(field: Field, value: unknown): boolean {
  switch (field.kind) {
    case 'string':
      // A one-line input takes line breaks away, a text area those of Windows.
      return typeof value === 'string' && !(field.multiline ? /\r/ : /[\r\n]/).test(value)
    case 'number':
      return typeof value === 'number' && (!field.integer || Number.isInteger(value))
    case 'boolean':
      return typeof value === 'boolean'
    case 'choice':
      return field.options.some((option) => equalJson(option.value, value))
    case 'array':
      return Array.isArray(value)
    case 'object':
      return isObject(value)
    case 'json':
      return true
  }
}
