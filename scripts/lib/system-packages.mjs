import { existsSync } from 'node:fs'
import path from 'node:path'
import { run } from './process.mjs'
import { diagnose, SetupError } from './setup-error.mjs'

/**
 * What Electron links to, by package. Where a release renamed one (Ubuntu's `t64`), the names are alternatives.
 * @type {readonly (readonly string[])[]}
 */
export const ELECTRON_PACKAGES = [
  ['libgtk-3-0', 'libgtk-3-0t64'],
  ['libnss3'],
  ['libasound2', 'libasound2t64'],
  ['libgbm1'],
  ['libxss1'],
  ['libxtst6'],
  ['libnotify4'],
  ['libsecret-1-0'],
]

/** What stands in for a desktop where there is none. */
export const DISPLAY_PACKAGES = [['xvfb'], ['dbus']]

/** What the tests drive besides: the page in a browser, the bundle behind a real web server, shared stores, and its commands. */
export const TEST_PACKAGES = [
  ['dbus-x11'],
  ['nginx', 'nginx-light'],
  ['openssl'],
  ['openssh-server'],
  ['openssh-client'],
  ['redis-server'],
  ['postgresql'],
  ['shellcheck'],
  ['strace'],
  ['age'],
]

/**
 * For `npm run test:bundle:long` alone: what makes and runs containers, and the examiners of artifacts whose packages start no
 * service (promtool comes only with one).
 */
export const LONG_PACKAGES = [
  ['debootstrap'],
  ['buildah'],
  ['podman'],
  ['runc'],
  ['catatonit'],
  ['nftables'],
  ['apache2-bin'],
  ['logrotate'],
]

/** The pages are shown in Chinese too; the visual tests compare pictures, so these fonts and no others: test/e2e/visual/fonts.conf. */
export const FONT_PACKAGES = [['fonts-noto-cjk'], ['fonts-dejavu-core']]

export const CHROMIUM_COMMANDS = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome']

/**
 * @param {string} command
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {string | null} its full path
 */
export function which(command, env = process.env) {
  const folders = [...(env['PATH'] ?? '').split(path.delimiter), '/usr/sbin'].filter(Boolean)
  return folders.map((folder) => path.join(folder, command)).find((file) => existsSync(file)) ?? null
}

/** The browser for the tests and screenshots. */
export function chromium() {
  for (const command of CHROMIUM_COMMANDS) {
    const found = which(command)
    if (found) return found
  }
  return null
}

/**
 * Those of which no alternative is installed.
 * @param {readonly (readonly string[])[]} wanted
 * @param {ReadonlySet<string>} installed
 */
export function missingPackages(wanted, installed) {
  return wanted.filter((names) => !names.some((name) => installed.has(name)))
}

/**
 * One name for each: the first that this release offers.
 * @param {readonly (readonly string[])[]} missing
 * @param {ReadonlySet<string>} offered
 */
export function chooseNames(missing, offered) {
  return missing.map((names) => names.find((name) => offered.has(name)) ?? names[0] ?? '')
}

/**
 * How to become allowed to install: as we are, through sudo, or not at all.
 * @param {{ uid: number, canSudo: boolean }} who
 * @param {readonly string[]} names
 * @returns {string[]} what to put before `apt-get`
 */
export function installPrefix({ uid, canSudo }, names) {
  if (uid === 0) return []
  if (canSudo) return ['sudo', '-n']
  throw new SetupError(
    `These system packages are missing, and installing them needs root: ${names.join(' ')}.`,
    `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${names.join(' ')}`,
  )
}

/** @param {readonly string[]} names */
async function installedNames(names) {
  const { output } = await run('dpkg-query', ['-W', '-f', '${db:Status-Abbrev} ${Package}\n', ...names])
  return new Set(
    output
      .split('\n')
      .filter((line) => line.startsWith('ii '))
      .map((line) => line.split(' ').at(-1) ?? ''),
  )
}

/** @param {readonly string[]} names */
async function offeredNames(names) {
  const { output } = await run('apt-cache', ['policy', ...names])
  /** @type {Set<string>} */
  const offered = new Set()
  let current = ''
  for (const line of output.split('\n')) {
    const name = /^(\S+):$/.exec(line)?.[1]
    if (name) current = name
    if (/^\s+Candidate: (?!\(none\))/.test(line)) offered.add(current)
  }
  return offered
}

/**
 * Installs what is missing of the wanted packages, on Debian and its kin.
 * @param {readonly (readonly string[])[]} wanted
 * @returns {Promise<boolean>} whether there was anything to do
 */
export async function ensureSystemPackages(wanted) {
  if (process.platform !== 'linux' || !which('apt-get') || !which('dpkg-query')) return false
  const missing = missingPackages(wanted, await installedNames(wanted.flat()))
  if (missing.length === 0) return false

  const canSudo = which('sudo') !== null && (await run('sudo', ['-n', 'true'])).code === 0
  const who = { uid: process.getuid?.() ?? 0, canSudo }
  // Refuses with the line to run before anything is touched.
  installPrefix(who, chooseNames(missing, await offeredNames(missing.flat())))

  const apt = async (/** @type {readonly string[]} */ ...args) => {
    const [command = '', ...rest] = [
      ...installPrefix(who, []),
      'env',
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      ...args,
    ]
    return run(command, rest, { show: true, heartbeat: 'still installing', deadlineMs: 10 * 60_000 })
  }
  console.log('Refreshing the list of system packages …')
  await apt('update', '-qq')
  const names = chooseNames(missing, await offeredNames(missing.flat()))
  console.log(`Installing system packages: ${names.join(' ')} …`)
  const result = await apt('install', '-y', '-qq', '--no-install-recommends', ...names)
  if (result.code !== 0) {
    throw diagnose(`\`apt-get install ${names.join(' ')}\``, result.timedOut ? 'ETIMEDOUT' : result.output)
  }
  return true
}
