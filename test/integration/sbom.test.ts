import { existsSync, globSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { expect, it } from 'vitest'
import { createSbom, sbomText, withElectron, type Sbom } from '../../scripts/lib/sbom.ts'

/** As much of it as is used here. */
const { Spec, Validation } = createRequire(import.meta.url)('@cyclonedx/cyclonedx-library') as {
  Spec: { Version: { v1dot5: string } }
  Validation: { JsonStrictValidator: new (version: string) => { validate: (text: string) => Promise<unknown> } }
}

const dist = path.resolve(import.meta.dirname, '../../dist')

it('the SBOM in the built hub names each package that is in it, by its version and hash, and is the same each time', () => {
  const text = readFileSync(path.join(dist, 'hub/sbom.cdx.json'), 'utf8')
  const { components, dependencies } = JSON.parse(text) as Sbom
  const named = new Set(components.map(({ name }) => name))
  const inside = new Set(
    globSync('{hub,renderer}/**/*.map', { cwd: dist }).flatMap((file) =>
      (JSON.parse(readFileSync(path.join(dist, file), 'utf8')) as { sources: string[] }).sources.flatMap(
        (source) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(source)?.[1] ?? [],
      ),
    ),
  )
  expect(existsSync(path.join(dist, 'hub/server.js.map'))).toBe(true)
  expect(inside.size).toBeGreaterThan(20)
  expect([...inside].filter((name) => !named.has(name))).toEqual([])
  expect(components.filter(({ version, hashes }) => version === '' || hashes?.[0]?.content.length !== 128)).toEqual([])
  const refs = new Set(components.map((component) => component['bom-ref']))
  expect(refs.size).toBe(components.length)
  expect(dependencies.flatMap(({ dependsOn }) => dependsOn).filter((ref) => !refs.has(ref))).toEqual([])
  expect(dependencies.find(({ ref }) => ref.startsWith('express@'))?.dependsOn.join()).toContain('body-parser@')
  expect(sbomText(createSbom())).toBe(text)
})

it('is what the schema of CycloneDX 1.5 asks for, that of the app too', async () => {
  const validator = new Validation.JsonStrictValidator(Spec.Version.v1dot5)
  const sbom = createSbom()
  for (const one of [sbom, withElectron(sbom, '1.2.3')]) expect(await validator.validate(sbomText(one))).toBeNull()
  const [first, ...rest] = sbom.components
  const unknown = { ...sbom, components: [{ ...first, licenses: [{ license: { id: 'No-Such-1.0' } }] }, ...rest] }
  expect(JSON.stringify(await validator.validate(JSON.stringify(unknown)))).toContain('/components/0/licenses')
})
