import { pathToFileURL } from 'node:url'
import { executableIn, rememberedRuntime } from './lib/electron-runtime.mjs'
import { report, SetupError } from './lib/setup-error.mjs'

/** The folder of the Electron that set-up found, ELECTRON_OVERRIDE_DIST_PATH first. */
export function electronDist() {
  const dist = process.env['ELECTRON_OVERRIDE_DIST_PATH'] ?? rememberedRuntime()?.dist
  if (!dist) throw new SetupError('Electron has not been set up yet.', 'Run `node scripts/bootstrap.mjs`.')
  return dist
}

/** Its executable: what a test launches. */
export function electronPath() {
  return executableIn(electronDist())
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    console.log(electronPath())
  } catch (error) {
    report(error)
    process.exitCode = 1
  }
}
