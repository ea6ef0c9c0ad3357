import { accessSync, constants, existsSync, statfsSync } from 'node:fs'
import path from 'node:path'
import { modules, pm2Prefix, readJson, root } from './paths.mjs'
import { run } from './process.mjs'
import { diagnose, isNetworkFailure, SetupError } from './setup-error.mjs'

/** PM2 is AGPL: the bundle tests run it as a program of its own, and it never becomes a dependency. */
export const PM2_VERSION = '7.0.4'

const NEEDED_MB = 1200

/** What is in npm's cache need not be asked for again: the lockfile's checksums hold for it too. */
export const NETWORK_FLAGS = [
  '--prefer-offline',
  '--fetch-retries=2',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
]
const QUIET_FLAGS = ['--no-audit', '--no-fund', '--loglevel=error']

/**
 * @typedef {{ version?: string, optional?: boolean, devOptional?: boolean, link?: boolean }} LockEntry
 * @typedef {{ packages?: Record<string, LockEntry> }} Lockfile
 */

/**
 * Whether what npm says it has installed is what the lockfile asks for.
 * npm writes its record last, so an interrupted installation leaves none.
 * @param {Lockfile} wanted package-lock.json
 * @param {Lockfile | null} installed node_modules/.package-lock.json
 */
export function packagesAreCurrent(wanted, installed) {
  if (!installed) return false
  return Object.entries(wanted.packages ?? {}).every(([name, entry]) => {
    if (name === '' || entry.link) return true
    const present = installed.packages?.[name]
    return present ? present.version === entry.version : entry.optional === true || entry.devOptional === true
  })
}

/**
 * How to call npm: the one that called us, the one on PATH, or the one beside our Node.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {{ command: string, args: string[] }}
 */
export function npmCommand(env = process.env) {
  const caller = env['npm_execpath']
  if (caller && /npm-cli\.c?js$/.test(caller) && existsSync(caller))
    return { command: process.execPath, args: [caller] }
  const folders = [...(env['PATH'] ?? '').split(path.delimiter).filter(Boolean), path.dirname(process.execPath)]
  const name = process.platform === 'win32' ? 'npm.cmd' : 'npm'
  const found = folders.map((folder) => path.join(folder, name)).find((file) => existsSync(file))
  if (found) return { command: found, args: [] }
  throw new SetupError(
    'npm was not found: neither on PATH nor beside Node.',
    'Install it with `sudo apt-get install -y npm`, or Node with npm from https://nodejs.org.',
  )
}

/**
 * Refuses before the download, not in the middle of it.
 * @param {string} folder
 * @param {number} neededMb
 */
export function requireSpace(folder, neededMb) {
  const { bavail, bsize } = statfsSync(folder)
  const freeMb = Math.floor((bavail * bsize) / 1_000_000)
  if (freeMb < neededMb) {
    throw new SetupError(
      `The disk is nearly full: ${String(freeMb)} MB are free in ${folder}, about ${String(neededMb)} MB are needed.`,
      'Free some space (see `df -h .`) and run this again.',
    )
  }
}

/** @param {string} folder */
function requireWritable(folder) {
  try {
    accessSync(folder, constants.W_OK)
  } catch (error) {
    throw diagnose(`Writing to ${folder}`, String(error))
  }
}

/**
 * Flags for npm: the registry, or its cache alone when the registry is out of reach. Left to itself npm would
 * try each of a thousand packages for minutes before it said so.
 * @param {{ command: string, args: string[] }} npm
 */
async function packageSource(npm) {
  const probe = ['ping', '--fetch-retries=0', '--fetch-timeout=10000', '--loglevel=error']
  const { code, output } = await run(npm.command, [...npm.args, ...probe], { cwd: root, deadlineMs: 30_000 })
  if (code === 0 || !isNetworkFailure(output)) return NETWORK_FLAGS
  console.log("The package registry does not answer; trying with what is in npm's cache.")
  return ['--offline']
}

/**
 * Installs the packages of the lockfile, when they are not there.
 * @returns {Promise<boolean>} whether there was anything to do
 */
export async function ensurePackages() {
  const wanted = /** @type {Lockfile | null} */ (readJson(path.join(root, 'package-lock.json')))
  if (!wanted) {
    throw new SetupError('package-lock.json is missing or broken.', 'Run `git checkout -- package-lock.json`.')
  }
  const record = path.join(modules, '.package-lock.json')
  if (packagesAreCurrent(wanted, /** @type {Lockfile | null} */ (readJson(record)))) return false
  requireWritable(root)
  requireSpace(root, NEEDED_MB)
  const npm = npmCommand()
  const source = await packageSource(npm)
  console.log('Installing the npm packages (about 650 MB on disk, one to three minutes) …')
  const result = await run(npm.command, [...npm.args, 'ci', ...QUIET_FLAGS, ...source], {
    cwd: root,
    // A production environment would leave the tools out.
    env: { ...process.env, NODE_ENV: 'development' },
    show: true,
    heartbeat: 'still installing',
    deadlineMs: 15 * 60_000,
  })
  if (result.timedOut) throw diagnose('Installing the npm packages', 'ETIMEDOUT')
  if (result.code !== 0) throw diagnose('Installing the npm packages', result.output)
  return true
}

/** Installs PM2 beside our packages, for the tests of the bundle. */
export async function ensurePm2() {
  const own = /** @type {{ version?: string } | null} */ (
    readJson(path.join(pm2Prefix, 'node_modules', 'pm2', 'package.json'))
  )
  if (own?.version === PM2_VERSION) return false
  console.log(`Installing PM2 ${PM2_VERSION} for the tests …`)
  const npm = npmCommand()
  const args = [
    'install',
    '--prefix',
    pm2Prefix,
    `pm2@${PM2_VERSION}`,
    '--ignore-scripts',
    ...QUIET_FLAGS,
    ...NETWORK_FLAGS,
  ]
  const result = await run(npm.command, [...npm.args, ...args], {
    // From the repository itself npm would take our own package.json for the one to change.
    cwd: modules,
    show: true,
    heartbeat: 'still installing',
    deadlineMs: 5 * 60_000,
  })
  if (result.timedOut) throw diagnose('Installing PM2', 'ETIMEDOUT')
  if (result.code !== 0) throw diagnose('Installing PM2', result.output)
  return true
}
