import { existsSync, globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'

const root = path.join(import.meta.dirname, '..', '..')
const ADVISORY = /\b(?:CVE-\d{4}-\d+|GHSA(?:-\w{4}){3})\b/g
const rows = readFileSync(path.join(root, 'docs', 'security.md'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('|'))
const table = rows.filter((line) => /^\| (?:CVE|GHSA)-/.test(line))
const lists = rows.filter((line) => /^\| (?:MCP|API)\d+/.test(line))
const idsIn = (text: string): string[] => [...new Set(text.match(ADVISORY) ?? [])]

describe('the tables of docs/security.md', () => {
  it('name tests that are there', () => {
    expect([table.length > 10, lists.length > 10]).toEqual([true, true])
    for (const line of [...table, ...lists])
      for (const [, file = ''] of line.matchAll(/`([\w/.-]+\.test\.ts)`/g))
        expect([file, existsSync(path.join(root, 'test', file))]).toEqual([file, true])
  })

  it('have every advisory that a test is named after', () => {
    const named = globSync('test/{unit,integration}/**/*.test.ts', { cwd: root }).flatMap((file) =>
      idsIn(readFileSync(path.join(root, file), 'utf8')),
    )
    expect(named.filter((id) => !idsIn(table.join('\n')).includes(id))).toEqual([])
  })
})

/** The first versions without the flaws that the hub would inherit; what does not need one is not here. */
const FIRST_GOOD = {
  '@modelcontextprotocol/sdk': '1.32.0',
  '@modelcontextprotocol/client': '2.3.0',
  '@modelcontextprotocol/core': '2.3.0',
  tar: '7.5.23',
  'body-parser': '2.2.1',
  qs: '6.14.1',
} as const

it.each(Object.entries(FIRST_GOOD))('the lockfile has %s from %s on, wherever it is needed', (name, first) => {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version?: string; dev?: boolean }>
  }
  const versions = Object.entries(lock.packages)
    .filter(([place, { dev }]) => place.endsWith(`node_modules/${name}`) && dev !== true)
    .map(([, { version = '' }]) => version)
  expect(versions.length).toBeGreaterThan(0)
  for (const version of versions) expect([version, compare(version, first) >= 0]).toEqual([version, true])
})

function compare(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('-')[0]?.split('.').map(Number) ?? [])
  for (let part = 0; part < 3; part++) {
    const difference = (left?.[part] ?? 0) - (right?.[part] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
