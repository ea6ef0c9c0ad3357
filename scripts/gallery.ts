import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { createBuilder } from 'vite'
import { fingerprint } from './lib/fingerprint.ts'
import { cache, readJson, root } from './lib/paths.mjs'

/** Builds the page with the component gallery, which users do not get: into a folder that is never packed. */
const outDir = path.join(cache, 'gallery')
const stamp = path.join(outDir, 'built.json')
const now = fingerprint('client')

if ((readJson(stamp) as { fingerprint?: string } | null)?.fingerprint !== now) {
  const builder = await createBuilder(
    {
      configFile: path.join(root, 'vite.config.ts'),
      mode: 'gallery',
      logLevel: 'warn',
      environments: { client: { build: { outDir, sourcemap: false } } },
    },
    null,
  )
  const { client } = builder.environments
  if (client === undefined) throw new Error('vite.config.ts has no environment client')
  await builder.build(client)
  writeFileSync(stamp, `${JSON.stringify({ fingerprint: now })}\n`)
}
