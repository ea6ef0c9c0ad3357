import { spawn } from 'node:child_process'
import path from 'node:path'
import { bootstrap } from './bootstrap.mjs'
import { buildStale } from './lib/build-stale.mjs'
import { onEnd } from './lib/launch.mjs'
import { cache, root, toolNode } from './lib/paths.mjs'
import { report } from './lib/setup-error.mjs'

/** The hub in server mode, as it runs in production: needs neither Electron nor system libraries. */
try {
  await bootstrap({ packagesOnly: true })
  await buildStale()
  const entry = path.join(root, 'dist', 'hub', 'server.js')
  // The heap of the published hub: half the memory under load (docs/performance.md).
  const heap = ['--max-old-space-size=512', '--max-semi-space-size=8', '--initial-old-space-size=64', '--expose-gc']
  const hub = spawn(toolNode(), [...heap, entry, ...process.argv.slice(2)], {
    stdio: 'inherit',
    detached: process.platform !== 'win32',
    // What was compiled is kept for the next start.
    env: { NODE_COMPILE_CACHE: path.join(cache, 'compiled'), ...process.env },
  })
  onEnd(() => hub.kill('SIGTERM'))
  process.exitCode = await new Promise((resolve, reject) => {
    hub.once('error', reject)
    hub.once('exit', (code) => {
      resolve(code ?? 1)
    })
  })
} catch (error) {
  report(error)
  process.exitCode = 1
}
