import { createServer as createProbe } from 'node:net'
import path from 'node:path'
import { createBuilder, createServer } from 'vite'
import { launchApp, onEnd } from './lib/launch.mjs'
import { root } from './lib/paths.mjs'
import { report } from './lib/setup-error.mjs'

/**
 * `npm run dev`: the page is replaced while it runs, a change of the hub restarts only the hub,
 * a change of main or preload restarts the app.
 */
const configFile = path.join(root, 'vite.config.ts')

/** The page comes from app://hub, so it must be told the port of the update channel beforehand. */
async function freePort(): Promise<number> {
  const probe = createProbe()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port for the page server')
  return address.port
}

const port = await freePort()
const pages = await createServer({
  configFile,
  logLevel: 'warn',
  server: { host: '127.0.0.1', port, strictPort: true, hmr: { protocol: 'ws', host: '127.0.0.1', clientPort: port } },
})
await pages.listen()
const devServer = `http://127.0.0.1:${String(port)}`
console.log(`Page server: ${devServer}`)

type App = Awaited<ReturnType<typeof launchApp>>
let app: App | null = null
let ending = false
/** One after the other: two changes at once must not start two apps. */
let work = Promise.resolve()

async function end(code: number): Promise<void> {
  if (ending) return
  ending = true
  await app?.stop()
  await pages.close()
  process.exit(code)
}

function restartApp(): void {
  work = work.then(async () => {
    const previous = app
    app = null
    await previous?.stop()
    if (ending) return
    const next = await launchApp({ args: process.argv.slice(2), env: { MCP_HUB_DEV_SERVER: devServer } })
    app = next
    void next.ended.then((code) => {
      // Quit by its user. After a crash the next change starts it again.
      if (app === next && code === 0) void end(0)
      else if (app === next) console.error(`The app ended with code ${String(code)}; the next change starts it again.`)
    })
  })
  work.catch((error: unknown) => {
    report(error)
    void end(1)
  })
}

function restartHub(): void {
  const running = app?.child.exitCode === null && app.child.signalCode === null
  if (running && process.platform !== 'win32') app?.child.kill('SIGUSR2')
  else restartApp()
}

onEnd(() => end(0))

const builder = await createBuilder({ configFile, logLevel: 'warn', build: { watch: {} } }, null)
const first = ['hub', 'preload', 'main'].map(async (name) => {
  const environment = builder.environments[name]
  if (!environment) throw new Error(`vite.config.ts has no environment ${name}`)
  const watcher = await builder.build(environment)
  if (!('on' in watcher)) throw new Error(`${name} is not being watched`)
  let built = false
  await new Promise<void>((resolve) => {
    watcher.on('event', async (event) => {
      // Vite has printed it; what runs goes on running.
      if (event.code === 'ERROR') await event.result.close()
      if (event.code !== 'BUNDLE_END') return
      await event.result.close()
      if (built) {
        console.log(`${name} changed`)
        if (name === 'hub') restartHub()
        else restartApp()
      }
      built = true
      resolve()
    })
  })
})
await Promise.all(first)
restartApp()
