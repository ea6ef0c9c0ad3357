type Schema = Readonly<Record<string, unknown>>

const isSchema = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const schemasOf = (value: unknown): readonly Schema[] => (Array.isArray(value) ? value.filter(isSchema) : [])

/** The name of the component that a `$ref` points to. */
const referenceName = (reference: string): string => reference.slice(reference.lastIndexOf('/') + 1)

/** A JSON Schema (2020-12) as a type in TypeScript’s notation, on as many lines as it needs. Limits follow as a comment. */
export function schemaText(schema: unknown, indent = ''): string {
  if (!isSchema(schema)) return 'unknown'
  if (typeof schema['$ref'] === 'string') return referenceName(schema['$ref'])
  if ('const' in schema) return JSON.stringify(schema['const'])
  if (Array.isArray(schema['enum'])) return schema['enum'].map((value) => JSON.stringify(value)).join(' | ')
  for (const key of ['anyOf', 'oneOf']) {
    const options = schemasOf(schema[key])
    if (options.length > 0) return [...new Set(options.map((option) => schemaText(option, indent)))].join(' | ')
  }
  const parts = schemasOf(schema['allOf'])
  if (parts.length > 0) return parts.map((part) => schemaText(part, indent)).join(' & ')
  const { type } = schema
  if (Array.isArray(type)) return type.map((one) => schemaText({ ...schema, type: one as unknown }, indent)).join(' | ')
  if (type === 'array') return arrayText(schema, indent)
  if (type === 'object') return objectText(schema, indent)
  return typeof type === 'string' ? type : 'unknown'
}

function arrayText(schema: Schema, indent: string): string {
  const items = schemaText(schema['items'], indent)
  return /^\w+$/.test(items) || items.startsWith('{') ? `${items}[]` : `(${items})[]`
}

function objectText(schema: Schema, indent: string): string {
  const properties = Object.entries(isSchema(schema['properties']) ? schema['properties'] : {})
  const required = new Set(Array.isArray(schema['required']) ? schema['required'] : [])
  const rest = schema['additionalProperties']
  if (properties.length === 0) return isSchema(rest) ? `Record<string, ${schemaText(rest, indent)}>` : 'object'
  const inner = `${indent}  `
  const lines = properties.map(([name, property]) => {
    const key = /^[\w$]+$/.test(name) ? name : JSON.stringify(name)
    const limits = limitsText(property)
    return `${inner}${key}${required.has(name) ? '' : '?'}: ${schemaText(property, inner)}${limits === '' ? '' : ` // ${limits}`}`
  })
  return `{\n${lines.join('\n')}\n${indent}}`
}

/** `default 10, at most 200`; the bounds that every safe integer keeps are none. */
export function limitsText(schema: unknown): string {
  if (!isSchema(schema)) return ''
  const fallback = 'default' in schema ? [`default ${JSON.stringify(schema['default'])}`] : []
  const bounds = BOUNDS.flatMap(([key, words, unit]) => {
    const value = schema[key]
    const tells = typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER
    return tells && !(key === 'minLength' && value < 2) ? [`${words} ${value}${unit}`] : []
  })
  return [...fallback, ...bounds].join(', ')
}

const BOUNDS = [
  ['minimum', 'at least', ''],
  ['exclusiveMinimum', 'more than', ''],
  ['maximum', 'at most', ''],
  ['minLength', 'at least', ' characters'],
  ['maxLength', 'at most', ' characters'],
  ['maxItems', 'at most', ' items'],
] as const

/** The components that a schema is made of, each once, the nearest first. */
export function namesIn(schema: unknown, components: Readonly<Record<string, unknown>>): string[] {
  const found = new Set<string>()
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) value.forEach(visit)
    else if (isSchema(value))
      Object.entries(value).forEach(([key, inner]) => (key === '$ref' ? add(inner) : visit(inner)))
  }
  const add = (reference: unknown): void => {
    const name = referenceName(String(reference))
    if (found.has(name) || !Object.hasOwn(components, name)) return
    found.add(name)
    visit(components[name])
  }
  visit(schema)
  return [...found]
}
