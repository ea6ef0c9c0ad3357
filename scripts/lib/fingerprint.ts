import { createHash } from 'node:crypto'
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { cache, readJson, root } from './paths.mjs'

export const targets = ['client', 'main', 'preload', 'hub'] as const
export type Target = (typeof targets)[number]

/** What each target is built from, and the file that shows that it was built. */
const parts: Record<Target, { sources: string[]; output: string }> = {
  client: { sources: ['renderer', 'hub/contract', 'preload/contract.ts'], output: 'dist/renderer/index.html' },
  main: { sources: ['main', 'hub', 'preload', 'renderer/locales'], output: 'dist/main/main.js' },
  preload: { sources: ['preload', 'hub/contract'], output: 'dist/preload/preload.cjs' },
  hub: { sources: ['hub', 'resources/publish'], output: 'dist/hub/server.js' },
}
const shared = ['vite.config.ts', 'package.json', 'package-lock.json']

/** A hash of everything that goes into a target. By content: a checkout sets every time stamp anew. */
export function fingerprint(target: Target, folder: string = root): string {
  const files = [...parts[target].sources, ...shared].flatMap((source) =>
    path.extname(source) ? [source] : globSync(`${source}/**/*.*`, { cwd: folder }),
  )
  const hash = createHash('sha256')
  for (const file of files.sort()) {
    const full = path.join(folder, file)
    if (existsSync(full)) hash.update(file).update('\0').update(readFileSync(full)).update('\0')
  }
  return hash.digest('hex')
}

const stamp = (target: Target): string => path.join(cache, `built-${target}.json`)

export function isStale(target: Target): boolean {
  const built = readJson(stamp(target)) as { fingerprint?: string } | null
  return !existsSync(path.join(root, parts[target].output)) || built?.fingerprint !== fingerprint(target)
}

/** `built` is the fingerprint from before the build: what changed meanwhile is stale. */
export function markBuilt(target: Target, built: string): void {
  mkdirSync(cache, { recursive: true })
  writeFileSync(stamp(target), `${JSON.stringify({ fingerprint: built })}\n`)
}
