import { looksLikeSecret } from '../config/secret-patterns.ts'

/** Where in a JSON text something stands that looks like a secret, as JSON pointers. */
export function suspectedSecrets(json: string): string[] {
  const found: string[] = []
  const walk = (value: unknown, key: string, pointer: string): void => {
    if (typeof value === 'string') {
      if (looksLikeSecret(key, value)) found.push(pointer)
    } else if (Array.isArray(value))
      // What is in a list is called as the list.
      value.forEach((item, index) => walk(item, key, `${pointer}/${index}`))
    else if (typeof value === 'object' && value !== null)
      for (const [name, inner] of Object.entries(value)) walk(inner, name, `${pointer}/${escaped(name)}`)
  }
  walk(JSON.parse(json), '', '')
  return found
}

const escaped = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1')
