import { useI18n } from 'vue-i18n'
import type { SchemaFault } from './validate.ts'

/** A fault in the page's language; what it has no words for stays in the validator's. */
export function useFaultText(): (fault: SchemaFault) => string {
  const i18n = useI18n()
  return ({ keyword, limit, message }) => {
    const key = `form.fault.${keyword === 'const' ? 'enum' : keyword}`
    return i18n.te(key) ? i18n.t(key, { limit, expected: limit }) : message
  }
}
