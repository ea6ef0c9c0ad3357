import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { createBuilder } from 'vite'
import { fingerprint, isStale, markBuilt, type Target, targets } from './lib/fingerprint.ts'
import { FIRST_LOAD_LIMIT, firstLoad } from './lib/first-load.ts'
import { root } from './lib/paths.mjs'
import { createSbom, sbomText } from './lib/sbom.ts'

/** `npm run build -- [--stale] [client|main|preload|hub …]` */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { stale: { type: 'boolean', default: false } },
})
const unknown = positionals.filter((name) => !targets.some((target) => target === name))
if (unknown.length > 0) {
  console.error(`There is no target ${unknown.join(', ')}; there are ${targets.join(', ')}.`)
  process.exit(2)
}
const asked: readonly Target[] = targets.filter((target) => positionals.length === 0 || positionals.includes(target))
const due = values.stale ? asked.filter(isStale) : asked

if (due.length > 0) {
  const started = performance.now()
  const built: Target[] = []
  const builder = await createBuilder({ configFile: path.join(root, 'vite.config.ts'), logLevel: 'warn' }, null)
  for (const target of due) {
    const before = fingerprint(target)
    const environment = builder.environments[target]
    if (!environment) throw new Error(`vite.config.ts has no environment ${target}`)
    try {
      await builder.build(environment)
      // With the hub it goes into every bundle and every package.
      if (target === 'hub') writeFileSync(path.join(root, 'dist', 'hub', 'sbom.cdx.json'), sbomText(createSbom()))
    } catch (error) {
      console.error(`✗ ${target}: ${error instanceof Error ? error.message : String(error)}`)
      process.exitCode = 1
      continue
    }
    markBuilt(target, before)
    built.push(target)
  }
  if (built.length > 0)
    console.log(`Built ${built.join(', ')} in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  if (built.includes('client')) {
    const bytes = firstLoad(path.join(root, 'dist', 'renderer'))
    console.log(`First load of the page: ${(bytes / 1000).toFixed(0)} kB compressed`)
    if (bytes > FIRST_LOAD_LIMIT) {
      console.error(`✗ client: that is more than ${FIRST_LOAD_LIMIT / 1000} kB; load what not every page needs later`)
      process.exitCode = 1
    }
  }
}
