import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { SetupError } from './setup-error.mjs'

export const root = path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))))
export const modules = path.join(root, 'node_modules')
/** What set-up fetches or remembers; `npm ci` clears it with the rest of node_modules. */
export const cache = path.join(modules, '.cache', 'mcp-hub')
export const pm2Prefix = path.join(modules, '.cache', 'pm2')

/** The first Node that runs TypeScript without a flag. */
const NEEDED = [22, 18]

/**
 * The Node that runs our tools: the one from the lockfile, else the one that runs this.
 * @param {string} [running] version of the Node that runs this
 */
export function toolNode(running = process.versions.node) {
  const own = path.join(modules, '.bin', process.platform === 'win32' ? 'node.cmd' : 'node')
  if (process.platform !== 'win32' && existsSync(own)) return own
  const [major = 0, minor = 0] = running.split('.').map(Number)
  const [neededMajor = 0, neededMinor = 0] = NEEDED
  if (major > neededMajor || (major === neededMajor && minor >= neededMinor)) return process.execPath
  throw new SetupError(
    `Node ${running} is too old for the build tools, and npm has no Node package for this platform in the lockfile.`,
    'Install Node 24 from https://nodejs.org and run this again.',
  )
}

/**
 * The environment in which our tools run: their Node and the installed commands come first.
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {NodeJS.ProcessEnv}
 */
export function toolEnv(env = process.env) {
  const first = path.join(modules, '.bin')
  const rest = (env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '' && folder !== first)
  return { ...env, PATH: [first, ...rest].join(path.delimiter) }
}

/**
 * @param {string} file
 * @returns {unknown} null when there is none, or it is broken
 */
export function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return null
  }
}
