import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { path7za } from '7zip-bin'
import { build, type CliOptions } from 'electron-builder'
import { electronDist } from '../scripts/electron-path.mjs'
import { buildStale } from './lib/build-stale.mjs'
import { rememberedRuntime } from './lib/electron-runtime.mjs'
import { root } from './lib/paths.mjs'
import { writeChecksums } from './lib/release-files.ts'
import { createSbom, sbomText, withElectron } from './lib/sbom.ts'

/**
 * `npm run package [-- --target dir --target tar.gz] [--electron-from-release]`: a package for this platform.
 * The targets that are made by default need nothing from outside the npm registry. Beside them lie the SBOM and SHA256SUMS, which
 * the Ed25519 key in the file MCP_HUB_SIGN_KEY signs (SHA256SUMS.sig).
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
const sbom = path.join(output, 'mcp-hub-sbom.cdx.json')
writeFileSync(sbom, sbomText(withElectron(createSbom(), version)))
const named = [sbom, ...files.filter((file) => path.dirname(file) === output)]
const key = process.env['MCP_HUB_SIGN_KEY']
files.push(
  sbom,
  ...(await writeChecksums(
    output,
    named.map((file) => path.basename(file)),
    key,
  )),
)
if (key === undefined) console.log('SHA256SUMS is not signed: MCP_HUB_SIGN_KEY names no key.')
console.log([...files, ...(values.target.includes('dir') ? [path.join(output, 'linux-unpacked')] : [])].join('\n'))
