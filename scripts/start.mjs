import { bootstrap } from './bootstrap.mjs'
import { buildStale } from './lib/build-stale.mjs'
import { launchApp, onEnd } from './lib/launch.mjs'
import { report } from './lib/setup-error.mjs'

/** From a bare clone to the running app: `npm start [-- arguments for the app]`. */
try {
  await bootstrap()
  await buildStale()
  const app = await launchApp({ args: process.argv.slice(2) })
  onEnd(app.stop)
  process.exitCode = await app.ended
} catch (error) {
  report(error)
  process.exitCode = 1
}
