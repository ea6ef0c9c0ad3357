import { isObject, type JsonObject } from '../../../lib/json.ts'

interface Common {
  readonly title: string | null
  readonly description: string | null
  /** Undefined when the schema names none. */
  readonly default: unknown
  readonly nullable: boolean
}

export type Field = Common &
  (
    | { readonly kind: 'string'; readonly format: string | null; readonly multiline: boolean; readonly example: string }
    | { readonly kind: 'number'; readonly integer: boolean }
    | { readonly kind: 'boolean' }
    | { readonly kind: 'choice'; readonly options: readonly Option[] }
    | { readonly kind: 'array'; readonly item: Field }
    | { readonly kind: 'object'; readonly fields: readonly NamedField[] }
    /** What no form shows honestly is written as JSON. */
    | { readonly kind: 'json' }
  )

export interface Option {
  readonly label: string
  /** As it is sent: `5` and `"5"` are two options. */
  readonly value: unknown
}

export interface NamedField {
  readonly name: string
  readonly required: boolean
  readonly field: Field
}

/** A schema that refers to itself has no end; at this depth its rest is JSON. */
const MAX_DEPTH = 8

/** A JSON Schema as a form shows it. Never throws, whatever a server calls a schema. */
export function normalize(schema: unknown): Field {
  return fieldOf(schema, isObject(schema) ? schema : {}, 0)
}

function fieldOf(given: unknown, root: JsonObject, depth: number): Field {
  const schema = resolve(given, root)
  if (schema === null) return { ...common({}, false), kind: 'json' }
  const { schema: plain, nullable } = withoutNull(schema, root)
  const base = common({ ...plain, ...annotationsOf(schema) }, nullable)
  const json: Field = { ...base, kind: 'json' }
  if (depth > MAX_DEPTH) return json

  const options = optionsOf(plain, root)
  if (options !== null) return options.every(isExact) ? { ...base, kind: 'choice', options } : json
  // Which branch a value belongs to can't be told from it in general, so a choice of branches would be a guess.
  if (['oneOf', 'anyOf', 'allOf', 'not', 'if', '$ref', '$dynamicRef'].some((key) => key in plain)) return json

  switch (plain['type'] ?? impliedType(plain)) {
    case 'string':
      return { ...base, ...stringField(plain) }
    case 'number':
    case 'integer':
      return { ...base, kind: 'number', integer: plain['type'] === 'integer' }
    case 'boolean':
      return { ...base, kind: 'boolean' }
    case 'array':
      if (!isObject(plain['items']) || 'prefixItems' in plain) return json
      return { ...base, kind: 'array', item: fieldOf(plain['items'], root, depth + 1) }
    case 'object':
      return objectField(plain, root, depth, base)
    default:
      return json
  }
}

function objectField(schema: JsonObject, root: JsonObject, depth: number, base: Common): Field {
  const properties = isObject(schema['properties']) ? schema['properties'] : {}
  const names = Object.keys(properties)
  // Without named properties it is a map with keys of one's own, or nothing at all below the top.
  if (names.length === 0 && (depth > 0 || isOpenMap(schema))) return { ...base, kind: 'json' }
  const required = Array.isArray(schema['required']) ? (schema['required'] as unknown[]) : []
  return {
    ...base,
    kind: 'object',
    fields: names.map((name) => ({
      name,
      required: required.includes(name),
      field: fieldOf(properties[name], root, depth + 1),
    })),
  }
}

const isOpenMap = (schema: JsonObject): boolean =>
  isObject(schema['additionalProperties']) || schema['additionalProperties'] === true || 'patternProperties' in schema

function stringField(schema: JsonObject) {
  const format = typeof schema['format'] === 'string' ? schema['format'] : null
  const { maxLength } = schema
  const [example] = Array.isArray(schema['examples']) ? (schema['examples'] as unknown[]) : []
  return {
    kind: 'string' as const,
    format,
    multiline: format === null && !('pattern' in schema) && !(typeof maxLength === 'number' && maxLength <= 80),
    example: typeof example === 'string' ? example : '',
  }
}

function common(schema: JsonObject, nullable: boolean): Common {
  const text = (key: string): string | null => {
    const value = schema[key]
    return typeof value === 'string' && value !== '' ? value : null
  }
  return { title: text('title'), description: text('description'), default: schema['default'], nullable }
}

function annotationsOf(schema: JsonObject): JsonObject {
  return Object.fromEntries(
    ['title', 'description', 'default'].filter((key) => key in schema).map((key) => [key, schema[key]]),
  )
}

/** Follows `$ref` within the document and a lone `allOf`; null where it leads nowhere. Words beside a `$ref` win. */
function resolve(given: unknown, root: JsonObject, seen: readonly string[] = []): JsonObject | null {
  if (!isObject(given)) return null
  const { $ref: reference, allOf, ...rest } = given
  if (typeof reference === 'string') {
    if (seen.includes(reference)) return null
    const target = resolve(at(root, reference), root, [...seen, reference])
    return target === null ? null : mergeBeside(target, rest)
  }
  if (Array.isArray(allOf) && allOf.length === 1) {
    const target = resolve(allOf[0], root, seen)
    return target === null ? null : mergeBeside(target, rest)
  }
  return given
}

/** Beside a reference only annotations are taken; a rule there that the form cannot join keeps its schema whole. */
function mergeBeside(target: JsonObject, beside: JsonObject): JsonObject {
  const rules = Object.keys(beside).filter(
    (key) => !['title', 'description', 'default', 'examples', '$comment'].includes(key),
  )
  return rules.length === 0
    ? { ...target, ...beside }
    : { ...annotationsOf({ ...target, ...beside }), allOf: [target, beside] }
}

function at(root: JsonObject, pointer: string): unknown {
  if (pointer === '#') return root
  if (!pointer.startsWith('#/')) return undefined
  let value: unknown = root
  for (const part of pointer.slice(2).split('/')) {
    const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(value)) value = (value as unknown[])[Number(key)]
    else if (isObject(value) && Object.hasOwn(value, key)) value = value[key]
    else return undefined
  }
  return value
}

/** Takes `null` out of a type, an enum or a union, so that the rest can be a field that may also be null. */
function withoutNull(schema: JsonObject, root: JsonObject): { schema: JsonObject; nullable: boolean } {
  const { type } = schema
  if (Array.isArray(type)) {
    const types = (type as unknown[]).filter((name) => name !== 'null')
    const nullable = types.length < type.length
    const values = schema['enum']
    const rest = nullable && Array.isArray(values) ? { enum: values.filter((value) => value !== null) } : {}
    return { schema: { ...schema, ...rest, type: types.length === 1 ? types[0] : types }, nullable }
  }
  if (Array.isArray(schema['enum']) && type === undefined && schema['enum'].includes(null)) {
    return { schema: { ...schema, enum: schema['enum'].filter((value) => value !== null) }, nullable: true }
  }
  for (const key of ['anyOf', 'oneOf'] as const) {
    const branches = schema[key]
    if (!Array.isArray(branches)) continue
    const isNull = (branch: unknown): boolean =>
      isObject(branch) && (branch['type'] === 'null' || branch['const'] === null)
    const others = (branches as unknown[]).filter((branch) => !isNull(branch))
    const nullable = others.length < branches.length
    const { [key]: _union, ...rest } = schema
    if (others.length === 1) {
      const only = resolve(others[0], root)
      if (only === null) break
      const inner = withoutNull(only, root)
      return { schema: mergeBeside(inner.schema, rest), nullable: nullable || inner.nullable }
    }
    if (nullable) return { schema: { ...rest, [key]: others }, nullable }
  }
  return { schema, nullable: schema['nullable'] === true }
}

/** The values to choose from: of an `enum`, a `const`, or a union of constants with titles; null when it is none of them. */
function optionsOf(schema: JsonObject, root: JsonObject): Option[] | null {
  if ('const' in schema) return labelled([{ value: schema['const'], title: null }])
  const values = schema['enum']
  if (Array.isArray(values)) {
    const names = Array.isArray(schema['enumNames']) ? (schema['enumNames'] as unknown[]) : []
    return labelled(
      (values as unknown[]).map((value, index) => {
        const name = names[index]
        return { value, title: typeof name === 'string' ? name : null }
      }),
    )
  }
  const union = schema['oneOf'] ?? schema['anyOf']
  if (!Array.isArray(union) || union.length === 0) return null
  const branches = (union as unknown[]).map((branch) => resolve(branch, root))
  if (!branches.every((branch) => branch !== null && 'const' in branch)) return null
  return labelled(
    branches.map((branch) => ({
      value: branch?.['const'],
      title: typeof branch?.['title'] === 'string' ? branch['title'] : null,
    })),
  )
}

function labelled(options: { value: unknown; title: string | null }[]): Option[] {
  // Only where texts stand beside other values must the label tell `"5"` from `5`.
  const mixed = options.some(({ value }) => typeof value !== 'string')
  return options.map(({ value, title }) => ({
    value,
    label: title ?? (typeof value === 'string' && !mixed ? value : JSON.stringify(value)),
  }))
}

/** A larger whole number is no longer the one that the schema's author wrote. */
const isExact = ({ value }: Option): boolean =>
  typeof value !== 'number' || !Number.isInteger(value) || Number.isSafeInteger(value)

function impliedType(schema: JsonObject): string | undefined {
  return 'properties' in schema ? 'object' : undefined
}
