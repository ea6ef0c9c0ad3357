import path from 'node:path'
import { expect, it } from 'vitest'
import { readJson, root } from '../../scripts/lib/paths.mjs'

/** Those that ask for nothing but their notice. */
const PERMISSIVE = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'Python-2.0',
  'Unlicense',
  'WTFPL',
  'Zlib',
])

/** Packages whose licence stands in no form that a lockfile can name, and what the file with their licence says. */
const STATED: Readonly<Record<string, string>> = {
  '@modelcontextprotocol/inspector': 'Apache-2.0 AND MIT',
  '@modelcontextprotocol/server-everything': 'Apache-2.0 AND MIT',
  '@modelcontextprotocol/server-filesystem': 'Apache-2.0 AND MIT',
  '@modelcontextprotocol/server-memory': 'Apache-2.0 AND MIT',
  '@modelcontextprotocol/server-sequential-thinking': 'Apache-2.0 AND MIT',
  '@nornagon/put': 'MIT',
  buildcheck: 'MIT',
  'cpu-features': 'MIT',
  jsbi: 'Apache-2.0',
  'map-stream': 'MIT',
  'pause-stream': 'MIT OR Apache-2.0',
  ssh2: 'MIT',
  supergateway: 'MIT',
}

/**
 * Copyleft by the file, which asks for changed files of the package itself: tools of the build (Vite's and Tailwind's style
 * compiler) and of the tests, unchanged, and nothing of them is in the program.
 */
const TOOLS_UNDER_MPL = /^(?:lightningcss(?:-[\w-]+)?|axe-core|@axe-core\/playwright)$/

interface Package {
  name?: string
  version?: string
  license?: unknown
}

/** Of an expression of SPDX without brackets inside: `A OR B` leaves the choice, `A AND B` asks for both. */
const isPermissive = (expression: string): boolean =>
  expression
    .replace(/^\((.*)\)$/, '$1')
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((id) => PERMISSIVE.has(id)))

it('each package of the lockfile is under a permissive licence, with a few exceptions that are named', () => {
  const { packages } = readJson(path.join(root, 'package-lock.json')) as { packages: Record<string, Package> }
  const all = Object.entries(packages).map(([place, { name, version, license }]) => ({
    name: name ?? place.replace(/^.*node_modules\//, ''),
    version,
    license,
  }))
  const refused = all.filter(
    ({ name, license }) =>
      !isPermissive(STATED[name] ?? String(license)) && !(license === 'MPL-2.0' && TOOLS_UNDER_MPL.test(name)),
  )
  expect(refused).toEqual([])
  expect(all.length).toBeGreaterThan(500)
  // An exception that nothing needs any more would let the next one in.
  const unknown = new Set(all.filter(({ license }) => !isPermissive(String(license))).map(({ name }) => name))
  expect(Object.keys(STATED).filter((name) => !unknown.has(name))).toEqual([])
})

it('knows what an expression asks for', () => {
  expect(isPermissive('(MIT OR GPL-3.0-or-later)')).toBe(true)
  expect(isPermissive('(MIT AND GPL-3.0-or-later)')).toBe(false)
  expect(isPermissive('FSL-1.1-Apache-2.0')).toBe(false)
  expect(isPermissive('undefined')).toBe(false)
})
