import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Validator } from '@cfworker/json-schema'
import { describe, expect, it } from 'vitest'
import { jsonSchemaOf, schemaNames, schemaText, type SchemaName } from '../../hub/config/json-schemas.ts'
import { brokenConfigs } from '../fixtures/broken-config.ts'

const folder = path.join(import.meta.dirname, '..', '..', 'renderer', 'public', 'schemas')
const accepts = (name: SchemaName, value: unknown): boolean =>
  new Validator(jsonSchemaOf(name), '2020-12').validate(value).valid

describe('the JSON Schemas', () => {
  it.each(schemaNames)(
    '%s.json is published as the hub checks it; `node scripts/schemas.ts` writes it',
    async (name) => {
      expect(await readFile(path.join(folder, `${name}.json`), 'utf8')).toBe(schemaText(name))
    },
  )

  it.each<[SchemaName, unknown]>([
    ['servers', { $schema: 'https://mcphub.dev/schemas/servers.json', mcpServers: {} }],
    ['servers', { mcpServers: { a: { command: 'npx', args: ['x'], env: { A: 'b' }, hub: { enabled: false } } } }],
    ['servers', { mcpServers: { a: { type: 'http', url: 'https://x/mcp', headers: { A: '${secret:B}' } } } }],
    ['system', { server: { port: 3000 }, auth: { jwtSecret: '${JWT_SECRET}' }, logging: { level: '${LEVEL:-info}' } }],
    ['profiles', { profiles: {} }],
    ['users', { users: [] }],
  ])('%s takes %j', (name, value) => {
    expect(accepts(name, value)).toBe(true)
  })

  it.each(
    brokenConfigs.flatMap(({ what, file, content }) => {
      try {
        return typeof content === 'string'
          ? [[what, file.replace('.json', ''), JSON.parse(content) as unknown] as const]
          : []
      } catch {
        return []
      }
    }),
  )('an editor sees the fault, as far as a schema can say it: %s', (what, name, value) => {
    // What only the hub can know: names beside each other, a file, a variable, a URL's form, a key that stands twice.
    const beyond = [
      'a name with a slash',
      'names that give one prefix',
      'a variable that is not set',
      'a file of a secret that is not there',
      'a URL that is none',
      'a key that stands twice',
      'a profile that stands twice',
      'a user who is there twice',
      '__proto__',
      'a file of 11 MB',
    ]
    expect(accepts(name as SchemaName, value)).toBe(beyond.includes(what))
  })
})
