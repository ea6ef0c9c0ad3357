import { readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { doctorSteps, hubOptionsSchema } from '../../hub/contract/index.ts'
import { defaultLimits } from '../../hub/upstream/limits.ts'

const text = readFileSync(path.join(import.meta.dirname, '..', '..', 'docs', 'servers.md'), 'utf8')
const rows = new Map([...text.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(([, name = '', value = '']) => [name, value]))

it('docs/servers.md lists every option of an entry, and no other', () => {
  expect([...rows.keys()].toSorted()).toEqual(Object.keys(hubOptionsSchema.shape).toSorted())
})

it('with the defaults that are in force', () => {
  const documented = Object.keys(defaultLimits).map((name) => [name, parseInt(rows.get(name)!, 10)])
  expect(documented).toEqual(Object.entries(defaultLimits))
})

it('and names as many steps of the doctor as there are', () => {
  const named = /- local: (.*?);\n- remote: (.*?)\./s
    .exec(text)!
    .slice(1)
    .map((list) => list.split(', ').length)
  // Both begin with the configuration and end with handshake, era and tools.
  expect(named[0]! + named[1]! - 4).toBe(doctorSteps.length)
})
