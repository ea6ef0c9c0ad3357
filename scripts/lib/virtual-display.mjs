import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { SetupError } from './setup-error.mjs'

/** @param {NodeJS.ProcessEnv} [env] */
export function hasDisplay(env = process.env) {
  return process.platform !== 'linux' || Boolean(env['DISPLAY']) || Boolean(env['WAYLAND_DISPLAY'])
}

/**
 * A screen and a message bus of our own, in processes that Ctrl-C in the terminal does not reach:
 * the app must be able to end first.
 * @returns {Promise<{ env: NodeJS.ProcessEnv, display: string, stop: () => void }>}
 */
export async function startVirtualDisplay() {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'mcp-hub-display-'))
  const authority = path.join(folder, 'Xauthority')
  writeFileSync(authority, authorityEntry(randomBytes(16)), { mode: 0o600 })
  /** @type {import('node:child_process').ChildProcess[]} */
  const started = []
  const stop = () => {
    for (const child of started) child.kill('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    // The server picks a free number itself and writes it to descriptor 3.
    const xvfb = spawn(
      'Xvfb',
      ['-displayfd', '3', '-screen', '0', '1440x900x24', '-nolisten', 'tcp', '-auth', authority],
      {
        stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
        detached: true,
      },
    )
    started.push(xvfb)
    const display = `:${await firstLine(xvfb, 3, 'Xvfb')}`
    const bus = spawn('dbus-daemon', ['--session', '--nofork', '--nopidfile', '--print-address=1'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    })
    started.push(bus)
    const address = await firstLine(bus, 1, 'dbus-daemon')
    for (const child of started) child.unref()
    // A machine without a display often has no system bus either, and Chromium complains about each thing it asks there.
    /** @type {NodeJS.ProcessEnv} */
    const env = {
      ...process.env,
      DISPLAY: display,
      XAUTHORITY: authority,
      DBUS_SESSION_BUS_ADDRESS: address,
      DBUS_SYSTEM_BUS_ADDRESS: address,
    }
    delete env['WAYLAND_DISPLAY']
    return { env, display, stop }
  } catch (error) {
    stop()
    throw error
  }
}

/**
 * An Xauthority file with one cookie for any display of any host (family 0xffff).
 * @param {Buffer} cookie
 */
export function authorityEntry(cookie) {
  const counted = (/** @type {Buffer} */ data) => {
    const length = Buffer.alloc(2)
    length.writeUInt16BE(data.length)
    return Buffer.concat([length, data])
  }
  const empty = Buffer.alloc(0)
  return Buffer.concat([
    Buffer.from([0xff, 0xff]),
    counted(empty),
    counted(empty),
    counted(Buffer.from('MIT-MAGIC-COOKIE-1')),
    counted(cookie),
  ])
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {1 | 3} descriptor
 * @param {string} name
 * @returns {Promise<string>}
 */
function firstLine(child, descriptor, name) {
  const stream = /** @type {import('node:stream').Readable} */ (child.stdio[descriptor])
  return new Promise((resolve, reject) => {
    const fail = (/** @type {string} */ why) => {
      clearTimeout(deadline)
      reject(new SetupError(`${name} did not start (${why}).`, 'sudo apt-get install -y xvfb dbus'))
    }
    const deadline = setTimeout(() => {
      fail('no answer within ten seconds')
    }, 10_000)
    child.once('error', (error) => {
      fail(error.message)
    })
    child.once('exit', (code) => {
      fail(`exit code ${String(code)}`)
    })
    createInterface({ input: stream }).once('line', (line) => {
      clearTimeout(deadline)
      resolve(line.trim())
    })
  })
}
