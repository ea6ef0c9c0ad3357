import path from 'node:path'
import { readJson, root } from './paths.mjs'

interface LockEntry {
  name?: string
  version?: string
  integrity?: string
  license?: string
  dev?: boolean
  optional?: boolean
  devOptional?: boolean
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}
interface Lockfile {
  name: string
  version: string
  packages: Record<string, LockEntry>
}
export interface Component {
  'bom-ref': string
  type: string
  name: string
  version: string
  purl: string
  /** Some of these are in the program, some only where the system asks for them. */
  scope?: 'optional'
  hashes?: { alg: string; content: string }[]
  licenses?: ({ expression: string } | { license: { id: string } | { name: string } })[]
}
export interface Sbom {
  bomFormat: 'CycloneDX'
  specVersion: '1.5'
  version: 1
  metadata: { component: Omit<Component, 'hashes' | 'licenses'> }
  components: Component[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

/** What an `id` may be is a list of SPDX's; other texts are the name of a licence. */
const SPDX_IDS = new Set([
  'MIT',
  'Apache-2.0',
  'ISC',
  'BSD-2-Clause',
  'BSD-3-Clause',
  '0BSD',
  'BlueOak-1.0.0',
  'Unlicense',
])
const SPDX_EXPRESSION = /^\(?[\w.+-]+(?: (?:AND|OR|WITH) [\w.+-]+)+\)?$/

/**
 * The packages that the program is made of, by the lockfile: what is installed for more than its development. As CycloneDX 1.5,
 * and without the time of its making, so that the same lockfile gives the same bytes. `npm sbom --omit=dev` is not used: it leaves
 * out much that the program and its development have in common (npm 11.19: jose, pg, 156 of 349 were named).
 */
export function createSbom(lock = readJson(path.join(root, 'package-lock.json')) as Lockfile): Sbom {
  const { name, version, packages } = lock
  const shipped = Object.entries(packages).filter(([place, entry]) => place !== '' && !entry.dev)
  const refAt = new Map(shipped.map(([place, entry]) => [place, refOf(nameAt(place, entry), entry.version)]))
  refAt.set('', refOf(name, version))

  /** As Node looks for it: beside the package, then in each folder above. */
  function found(from: string, wanted: string): string[] {
    for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/node_modules/')))) {
      const ref = refAt.get(`${folder === '' ? '' : `${folder}/`}node_modules/${wanted}`)
      if (ref !== undefined) return [ref]
      if (folder === '') return []
    }
  }
  const components = new Map(
    shipped.map(([place, entry]) => [refAt.get(place) ?? '', componentOf(nameAt(place, entry), entry)]),
  )
  const needs = new Map<string, Set<string>>()
  for (const [place, ref] of refAt) {
    const { dependencies, peerDependencies } = packages[place] ?? {}
    const wanted = Object.keys({ ...dependencies, ...peerDependencies })
    const known = needs.get(ref) ?? new Set()
    for (const one of wanted) for (const other of found(place, one)) known.add(other)
    needs.set(ref, known)
  }
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.5',
    version: 1,
    metadata: { component: { ...identity(name, version), type: 'application' } },
    components: [...components].sort(byRef).map(([, component]) => component),
    dependencies: [...needs].sort(byRef).map(([ref, others]) => ({ ref, dependsOn: [...others].sort() })),
  }
}

/** That of the app: the same, and the Electron that it is packaged with. */
export function withElectron(sbom: Sbom, version: string): Sbom {
  return { ...sbom, components: [...sbom.components, { ...identity('electron', version), type: 'framework' }] }
}

export const sbomText = (sbom: Sbom): string => `${JSON.stringify(sbom, null, 2)}\n`

const byRef = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : 1)
const refOf = (name: string, version = ''): string => `${name}@${version}`
/** An entry names itself where it is installed under another name. */
const nameAt = (place: string, entry: LockEntry): string =>
  entry.name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length)

function identity(name: string, version: string): Pick<Component, 'bom-ref' | 'name' | 'version' | 'purl'> {
  return { 'bom-ref': refOf(name, version), name, version, purl: `pkg:npm/${name.replace('@', '%40')}@${version}` }
}

function componentOf(name: string, { version = '', integrity, license, optional, devOptional }: LockEntry): Component {
  const [, base64] = /^sha512-(\S+)/.exec(integrity ?? '') ?? []
  return {
    ...identity(name, version),
    type: 'library',
    ...(optional === true || devOptional === true ? { scope: 'optional' as const } : {}),
    ...(base64 === undefined
      ? {}
      : { hashes: [{ alg: 'SHA-512', content: Buffer.from(base64, 'base64').toString('hex') }] }),
    ...(license === undefined ? {} : { licenses: [licenceOf(license)] }),
  }
}

function licenceOf(text: string): NonNullable<Component['licenses']>[number] {
  if (SPDX_EXPRESSION.test(text)) return { expression: text }
  return { license: SPDX_IDS.has(text) ? { id: text } : { name: text } }
}
