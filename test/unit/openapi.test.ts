import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import { openApiDocument } from '../../hub/api/openapi.ts'
import { routeNeeds } from '../../hub/api/permissions.ts'
import { namesIn, schemaText } from '../../renderer/lib/schema-text.ts'
import { operationGroups, openApiSchema } from '../../renderer/lib/open-api.ts'
import { apiReference } from '../../scripts/lib/api-reference.ts'

describe('the OpenAPI document', () => {
  const document = openApiDocument()
  const shown = openApiSchema.parse(document)

  it('is one of OpenAPI 3.1', async () => {
    const validator = new Validator()
    const result = await validator.validate(structuredClone(document))
    expect(result).toMatchObject({ valid: true })
    expect(validator.version).toBe('3.1')
  })

  it('has every route once, under a name of its own', () => {
    const operations = operationGroups(shown).flatMap((group) => group.operations)
    const routes = operations.map(({ method, path: at }) => `${method} ${at.replace(/\{(\w+)\}/g, ':$1')}`)
    expect(routes.sort()).toEqual(Object.keys(routeNeeds).sort())
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  })

  it('says of every group what it is about', () => {
    expect(shown.tags.filter(({ description }) => description === '')).toEqual([])
  })

  it('refers to nothing that it does not hold', () => {
    const { schemas } = shown.components
    const references = JSON.stringify(document).matchAll(/#\/components\/schemas\/(\w+)/g)
    expect([...references].map(([, name = '']) => name).filter((name) => !Object.hasOwn(schemas, name))).toEqual([])
  })

  it('tells what an entry of servers.json may be, though a function decides it', () => {
    const { schemas } = shown.components
    expect(schemaText(schemas['ServerConfigInput'])).toBe('StdioServerInput | RemoteServerInput')
    expect(namesIn({ $ref: '#/components/schemas/AddServerInput' }, schemas)).toContain('StdioServerInput')
  })
})

it('docs/API_REFERENCE.md is what `node scripts/api-reference.ts` writes', async () => {
  const file = path.join(import.meta.dirname, '..', '..', 'docs', 'API_REFERENCE.md')
  expect(await readFile(file, 'utf8')).toBe(apiReference())
})

it.each([
  [{ type: 'array', items: { type: ['string', 'null'] } }, '(string | null)[]'],
  [{ type: 'object', additionalProperties: { type: 'integer' } }, 'Record<string, integer>'],
  [{ enum: ['a', 1, null] }, '"a" | 1 | null'],
  [
    { type: 'object', properties: { 'a-b': { type: 'integer', default: 3, maximum: 9 }, c: {} }, required: ['c'] },
    '{\n  "a-b"?: integer // default 3, at most 9\n  c: unknown\n}',
  ],
])('a schema as a type: %j', (schema, text) => {
  expect(schemaText(schema)).toBe(text)
})
