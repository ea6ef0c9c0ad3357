import { Validator, type OutputUnit, type SchemaDraft } from '@cfworker/json-schema'
import { isObject } from '../../../lib/json.ts'

/** What of a value does not fit its schema: where, and why in words that the page has, or else in the validator's. */
export interface SchemaFault {
  /** JSON pointer without `#`: `/items/0/name`; empty for the whole. */
  readonly pointer: string
  readonly keyword: string
  /** The rule's own value: a limit, a pattern, a type. */
  readonly limit: string
  readonly message: string
}

/** Those keywords only pass on what a schema inside of them found. */
const CONTAINERS = new Set(['properties', 'items', 'prefixItems', '$ref', 'allOf', 'then', 'else', 'patternProperties'])

export type Validate = (value: unknown) => SchemaFault[]

/** Null when the schema itself is unusable: then there is nothing to say about a value. */
export function compile(given: unknown): Validate | null {
  if (!isObject(given)) return null
  try {
    // The validator writes marks of its own into the schema.
    const schema = JSON.parse(JSON.stringify(given)) as Record<string, unknown>
    const validator = new Validator(schema, draftOf(schema), false)
    return (value) => {
      try {
        return validator
          .validate(value)
          .errors.filter(isOrigin)
          .map((error) => faultOf(given, error))
      } catch {
        // E.g. a pattern that is no regular expression.
        return []
      }
    }
  } catch {
    return null
  }
}

/** `additionalProperties: false` is told once at the object and once more as `false` at the key; the key is the place. */
const isOrigin = ({ keyword }: OutputUnit, index: number, all: readonly OutputUnit[]): boolean => {
  if (CONTAINERS.has(keyword)) return false
  return keyword !== 'additionalProperties' || all[index + 1]?.keyword !== 'false'
}

function faultOf(schema: object, { keyword, keywordLocation, instanceLocation, error }: OutputUnit): SchemaFault {
  const pointer = instanceLocation.replace(/^#/, '')
  if (keyword === 'required') {
    const name = /"(.*)"/s.exec(error)?.[1]
    return {
      pointer: name === undefined ? pointer : `${pointer}/${escapePointer(name)}`,
      keyword,
      limit: '',
      message: error,
    }
  }
  if (keyword === 'false') return { pointer, keyword: 'additionalProperties', limit: '', message: error }
  const limit = at(schema, keywordLocation)
  return { pointer, keyword, limit: Array.isArray(limit) ? limit.join(', ') : scalar(limit), message: error }
}

const scalar = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''

/** Only ways that lead through the schema itself; one through a `$ref` ends early and gives nothing. */
function at(schema: object, location: string): unknown {
  let value: unknown = schema
  for (const part of location.replace(/^#\/?/, '').split('/')) {
    if (typeof value !== 'object' || value === null) return undefined
    const inner: Record<string, unknown> = value as Record<string, unknown>
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~')
    value = '$ref' in inner && !(key in inner) ? undefined : inner[key]
  }
  return value
}

export const escapePointer = (key: string): string => key.replaceAll('~', '~0').replaceAll('/', '~1')

function draftOf(schema: Record<string, unknown>): SchemaDraft {
  const name = typeof schema['$schema'] === 'string' ? schema['$schema'] : ''
  if (name.includes('draft-04')) return '4'
  if (/draft-0[67]/.test(name)) return '7'
  return name.includes('2019-09') ? '2019-09' : '2020-12'
}
