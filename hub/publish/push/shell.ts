import { setTimeout as delay } from 'node:timers/promises'
import type { Duplex } from 'node:stream'
import type { Client } from 'ssh2'
import type { Connection } from '../../contract/push.ts'
import { HubError } from '../../hub-error.ts'
import { say, type Said } from '../../say.ts'
import { ConnectionLost, createConnections, forward } from './connection.ts'
import type { KnownHosts } from './known-hosts.ts'
import { Cancelled, type Run } from './run.ts'

export interface Ended {
  code: number
  stdout: Buffer
  stderr: string
}

export interface RunOptions {
  /** What the script reads. It is written anew when the script is run again. */
  stdin?: Iterable<Buffer> | AsyncIterable<Buffer>
  onStdout?: (chunk: Buffer) => void
  signal?: AbortSignal
}

/** A shell with root's rights on the target, over a connection that is made again when it is lost. */
export interface Shell {
  /** Runs a script of `sh`; throws `ConnectionLost`. */
  once: (script: string, options?: RunOptions) => Promise<Ended>
  /** Runs a script that may be run twice: it is, when the connection is lost meanwhile. */
  run: (script: string, options?: RunOptions) => Promise<Ended>
  /** The same, where another code than 0 is an error that `what` could not be done. */
  must: (what: Said, script: string, options?: RunOptions) => Promise<Ended>
  /** Does `work` again when the connection is lost, until that happens too often without `alive` in between. */
  persist: <T>(work: (alive: () => void) => Promise<T>, signal?: AbortSignal) => Promise<T>
  forward: (host: string, port: number) => Promise<Duplex>
  close: () => void
}

export const RECONNECT_MS: readonly number[] = [500, 2_000, 5_000]
const MAX_OUTPUT = 64 * 1_048_576
const PROLOGUE =
  'export LC_ALL=C PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"; umask 022\n'

/** A word of a command line, whatever is in it. */
export const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`

export async function openShell(
  connection: Connection,
  {
    run,
    knownHosts,
    delays = RECONNECT_MS,
  }: { run: Run; knownHosts: KnownHosts; delays?: readonly number[] | undefined },
): Promise<Shell> {
  const connections = createConnections(connection, knownHosts, run.ask)
  let client: Client | null = null
  let sudo: Sudo = { command: '', password: null }

  async function connected(signal: AbortSignal): Promise<Client> {
    if (client !== null) return client
    const opened = await connections.open(signal)
    opened.once('close', () => {
      if (client === opened) client = null
    })
    client = opened
    return opened
  }

  async function persist<T>(work: (alive: () => void) => Promise<T>, signal = run.signal): Promise<T> {
    for (let losses = 0; ; losses++) {
      try {
        return await work(() => {
          losses = 0
        })
      } catch (error) {
        if (signal.aborted) throw new Cancelled('The run was cancelled')
        if (!(error instanceof ConnectionLost)) throw error
        const wait = delays[losses]
        if (wait === undefined) throw unreachable(error)
        run.step('connect', 'start', say`${error.words}. Connecting again (${losses + 1} of ${delays.length})`)
        await delay(wait, undefined, { signal }).catch(() => undefined)
      }
    }
  }

  const shell: Shell = {
    once: async (script, { signal = run.signal, ...options } = {}) =>
      execute(await connected(signal), PROLOGUE + script, sudo, { signal, ...options }),
    run: (script, options) => persist(() => shell.once(script, options), options?.signal),
    persist,
    must: async (what, script, options) => {
      const ended = await shell.run(script, options)
      if (ended.code !== 0) throw failed(what, ended)
      return ended
    },
    forward: (host, port) => persist(async () => forward(await connected(run.signal), host, port, connection)),
    close: connections.close,
  }

  const at = `${connection.user}@${connection.host}${connection.port === 22 ? '' : `:${connection.port}`}`
  run.step(
    'connect',
    'start',
    connection.jump === undefined ? say`Connecting to ${at}` : say`Connecting to ${at} through ${connection.jump.host}`,
  )
  try {
    const live = await connected(run.signal)
    if (connection.sudo) sudo = await becomeRoot(connection, run, live)
    const { user } = connection
    run.step('connect', 'ok', connection.sudo ? say`Signed in as ${user}, root with sudo` : say`Signed in as ${user}`)
    return shell
  } catch (error) {
    connections.close()
    throw error instanceof ConnectionLost ? unreachable(error) : error
  }
}

interface Sudo {
  /** What stands before `sh`; empty for a user who is root. */
  command: string
  /** The first line that sudo reads; null where it asks for none. */
  password: string | null
}

async function becomeRoot(connection: Connection, run: Run, live: Client): Promise<Sudo> {
  // -k: a password that was given before must not make it read none this time, and take our input for one.
  const free: Sudo = { command: 'sudo -k -n -- ', password: null }
  const attempt = (sudo: Sudo): Promise<Ended> => execute(live, 'true', sudo, { signal: run.signal })
  const first = await attempt(free)
  if (first.code === 0) return free
  if (first.code === 127)
    throw new HubError('HUB_TARGET_UNFIT', say`There is no sudo on ${connection.host}`, {
      cure: say`Install it, or sign in as root.`,
    })
  for (let tries = 0; tries < 3; tries++) {
    const { user, host } = connection
    const password = await run.ask.secret({ kind: 'sudo-password', user, host, wrong: tries > 0 })
    const sudo: Sudo = { command: "sudo -k -S -p '' -- ", password }
    if ((await attempt(sudo)).code === 0) return sudo
  }
  throw new HubError('HUB_TARGET_SIGN_IN_FAILED', say`sudo on ${connection.host} refuses ${connection.user}`, {
    cure: say`Check the password, and that the user is in the group sudo.`,
  })
}

function execute(
  client: Client,
  script: string,
  { command, password }: Sudo,
  { stdin, onStdout, signal }: RunOptions,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new ConnectionLost(say`The connection was lost`))
    if (signal?.aborted === true) {
      reject(new Cancelled('The run was cancelled'))
      return
    }
    client.once('close', gone)
    client.exec(`${command}sh -c ${quote(script)}`, (error, channel) => {
      if (error !== undefined) {
        client.off('close', gone)
        // A connection that ends says so here, too.
        reject(new ConnectionLost(error.message))
        return
      }
      const stdout: Buffer[] = []
      let bytes = 0
      let stderr = ''
      let code: number | null = null
      const abort = (): void => {
        channel.close()
        reject(new Cancelled('The run was cancelled'))
      }
      signal?.addEventListener('abort', abort, { once: true })
      channel.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (onStdout !== undefined) onStdout(chunk)
        else if (bytes <= MAX_OUTPUT) stdout.push(chunk)
        else channel.close()
      })
      channel.stderr.on('data', (chunk: Buffer) => {
        if (stderr.length < 20_000) stderr += chunk.toString('utf8')
      })
      channel.on('exit', (status: number | null) => {
        code = status ?? 128
      })
      channel.on('error', gone)
      channel.once('close', () => {
        client.off('close', gone)
        signal?.removeEventListener('abort', abort)
        if (code === null) gone()
        else resolve({ code, stdout: Buffer.concat(stdout), stderr })
      })
      feed(channel, password === null ? [] : [Buffer.from(`${password}\n`)], stdin ?? []).catch(() => undefined)
    })
  })
}

/** Writes as fast as the other end takes it. A script that ended early takes no more; its code says why. */
async function feed(
  channel: Duplex,
  first: Iterable<Buffer>,
  rest: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<void> {
  for (const part of [first, rest])
    for await (const chunk of part) {
      if (channel.destroyed || !channel.writable) return
      if (channel.write(chunk)) continue
      await new Promise<void>((resolve) => {
        channel.once('drain', resolve).once('close', resolve)
      })
    }
  channel.end()
}

export function failed(what: Said, { code, stderr }: Ended): HubError {
  const said = stderr.trim().split('\n').slice(-5).join('\n')
  if (/No space left on device|Disk quota exceeded/i.test(stderr))
    return new HubError('HUB_TARGET_UNFIT', say`${what}: the disk of the target is full. ${said}`, {
      cure: say`Make room there and push again.`,
    })
  return new HubError('HUB_DEPLOY_FAILED', said === '' ? say`${what}: it ended with ${code}` : say`${what}: ${said}`, {
    cure: say`The lines above say why.`,
  })
}

export const unreachable = (error: ConnectionLost): HubError =>
  new HubError('HUB_TARGET_UNREACHABLE', error.words, {
    cure: say`Check that the target runs and the network is there, then try again.`,
  })
