import { pathToFileURL } from 'node:url'
import { ensureElectron } from './lib/electron-runtime.mjs'
import { ensurePackages, ensurePm2 } from './lib/npm-packages.mjs'
import { toolNode } from './lib/paths.mjs'
import { report } from './lib/setup-error.mjs'
import {
  chromium,
  DISPLAY_PACKAGES,
  ELECTRON_PACKAGES,
  ensureSystemPackages,
  FONT_PACKAGES,
  TEST_PACKAGES,
} from './lib/system-packages.mjs'
import { hasDisplay } from './lib/virtual-display.mjs'

/**
 * Brings a bare clone to where it can be built and run, doing only what is not done yet.
 * @param {{ packagesOnly?: boolean, test?: boolean, packages?: readonly (readonly string[])[] }} [options]
 */
export async function bootstrap({ packagesOnly = false, test = false, packages = [] } = {}) {
  await ensurePackages()
  toolNode()
  if (packagesOnly) return
  await ensureSystemPackages([
    ...ELECTRON_PACKAGES,
    ...(test || !hasDisplay() ? DISPLAY_PACKAGES : []),
    ...packages,
    ...(test ? [...TEST_PACKAGES, ...FONT_PACKAGES, ...(chromium() ? [] : [['chromium']])] : []),
  ])
  await ensureElectron()
  if (test) await ensurePm2()
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    await bootstrap({
      packagesOnly: process.argv.includes('--packages-only'),
      test: process.argv.includes('--test'),
    })
  } catch (error) {
    report(error)
    process.exitCode = 1
  }
}
