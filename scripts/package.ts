import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { path7za } from '7zip-bin'
import { build, type CliOptions } from 'electron-builder'
import { electronDist } from '../scripts/electron-path.mjs'
import { buildStale } from './lib/build-stale.mjs'
import { rememberedRuntime } from './lib/electron-runtime.mjs'
import { root } from './lib/paths.mjs'

/**
 * `npm run package [-- --target dir --target tar.gz] [--electron-from-release]`: a package for this platform.
 * The targets that are made by default need nothing from outside the npm registry.
 */
const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true, default: ['dir', 'tar.gz'] },
    /** For a release: let electron-builder fetch the pinned Electron instead of using the one set up here. */
    'electron-from-release': { type: 'boolean', default: false },
    /** For tests: an application that Playwright can attach to. */
    inspectable: { type: 'boolean', default: false },
  },
})

await buildStale()
if (process.platform === 'linux') {
  // Its packages come without the executable bit, and electron-builder would fetch its own 7-Zip from elsewhere.
  chmodSync(path7za, 0o755)
  process.env['ELECTRON_BUILDER_7ZIP_PATH'] ??= path7za
}

const dist = electronDist()
const version = readFileSync(path.join(dist, 'version'), 'utf8').trim().replace(/^v/, '')
const own = values['electron-from-release'] ? {} : { electronDist: dist, electronVersion: version }
if (!values['electron-from-release'] && rememberedRuntime()?.source === 'republished') {
  console.log(`Packaging with Electron ${version}, which is for development: do not ship the result.`)
}

const options: CliOptions = {
  projectDir: root,
  publish: 'never',
  config: {
    ...own,
    ...(values.inspectable && {
      directories: { output: 'release/inspectable' },
      electronFuses: { enableNodeCliInspectArguments: true },
    }),
  },
  ...(process.platform === 'linux' && { linux: values.target }),
  ...(process.platform === 'darwin' && { mac: values.target }),
  ...(process.platform === 'win32' && { win: values.target }),
}
const output = path.join(root, 'release')
if (existsSync(output)) rmSync(output, { recursive: true })
const files = await build(options)
console.log([...files, ...(values.target.includes('dir') ? [path.join(output, 'linux-unpacked')] : [])].join('\n'))
