import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import type { Client, ClientErrorExtensions, ServerHostKeyAlgorithm } from 'ssh2'
import type { Connection, SshHost } from '../../contract/push.ts'
import { HubError } from '../../hub-error.ts'
import { say, type Words } from '../../say.ts'
import { fingerprintOf, hostKeyOf, type HostKey, type HostKeyState, type KnownHosts } from './known-hosts.ts'
import type { Asker } from './run.ts'
import { signInTo } from './sign-in.ts'
import { ssh2 } from './ssh2.ts'

/** The connection ended, or could not be made, for a reason that may be gone a moment later. */
export class ConnectionLost extends Error {
  readonly words: Words
  constructor(words: Words) {
    super(String(words))
    this.words = words
  }
}

export type SignIn = Awaited<ReturnType<typeof signInTo>>
type Hop = 'target' | 'jump'

export interface Connections {
  /** Connects to the target, through its jump host where it has one. Asks for passphrases and unknown host keys. */
  open: (signal: AbortSignal) => Promise<Client>
  close: () => void
}

const READY_MS = 15_000
/** A link that is dead is noticed within this. */
const KEEPALIVE = { keepaliveInterval: 5_000, keepaliveCountMax: 3 }

/** Connections of one run to one target: who signed in once is not asked again when the connection was lost. */
export function createConnections(connection: Connection, knownHosts: KnownHosts, ask: Asker): Connections {
  const signIns = new Map<Hop, SignIn>()
  const clients = new Set<Client>()

  async function connect(hop: Hop, host: SshHost, sock: Duplex | undefined, signal: AbortSignal): Promise<Client> {
    let signIn = signIns.get(hop)
    if (signIn === undefined) signIns.set(hop, (signIn = await signInTo(host, ask)))
    const { Client: SshClient } = await ssh2()
    const client = new SshClient()
    clients.add(client)
    // An error after the connection stands is told by 'close'; without a listener it would end the process.
    client.on('error', () => undefined).once('close', () => clients.delete(client))
    const shown: { key: HostKey; state: HostKeyState }[] = []
    const known = await knownHosts.algorithms(host.host, host.port)
    const stop = (): void => void client.destroy()
    signal.addEventListener('abort', stop, { once: true })
    try {
      const ready = once(client, 'ready', { signal })
      client.connect({
        host: host.host,
        port: host.port,
        ...signIn,
        ...(sock === undefined ? {} : { sock }),
        ...KEEPALIVE,
        readyTimeout: READY_MS,
        algorithms: { serverHostKey: knownFirst(known) },
        hostVerifier: (blob: Buffer, verify: (ok: boolean) => void) => {
          const key = hostKeyOf(blob)
          void knownHosts.check(host.host, host.port, key).then((state) => {
            shown.push({ key, state })
            verify(state === 'known')
          })
        },
      })
      await ready
      return client
    } catch (error) {
      client.destroy()
      signal.throwIfAborted()
      const [last] = shown
      if (last === undefined) throw unreachable(host, error)
      const { key, state } = last
      if (state === 'known') throw explain(host, error)
      if (state !== 'unknown') throw refused(host, key, state)
      throw new UnknownHostKey(hop, host, key)
    } finally {
      signal.removeEventListener('abort', stop)
    }
  }

  /** A person is asked while nothing waits at the other end; then it is connected to anew. */
  async function confirmed(attempt: () => Promise<Client>): Promise<Client> {
    for (;;) {
      try {
        return await attempt()
      } catch (error) {
        if (!(error instanceof UnknownHostKey)) throw error
        const { hop, host, key } = error
        await ask.confirm({
          kind: 'host-key',
          hop,
          host: host.host,
          port: host.port,
          algorithm: key.algorithm,
          fingerprint: fingerprintOf(key.blob),
        })
        await knownHosts.add(host.host, host.port, key)
      }
    }
  }

  return {
    open: (signal) =>
      confirmed(async () => {
        const { jump } = connection
        if (jump === undefined) return connect('target', connection, undefined, signal)
        const between = await connect('jump', jump, undefined, signal)
        try {
          const sock = await forward(between, connection.host, connection.port, jump)
          const client = await connect('target', connection, sock, signal)
          client.once('close', () => between.end())
          return client
        } catch (error) {
          between.end()
          throw error
        }
      }),
    close: () => {
      for (const client of clients) client.end()
    },
  }
}

class UnknownHostKey extends Error {
  readonly hop: Hop
  readonly host: SshHost
  readonly key: HostKey
  constructor(hop: Hop, host: SshHost, key: HostKey) {
    super(`The key of ${host.host} is not known`)
    this.hop = hop
    this.host = host
    this.key = key
  }
}

/** A stream to an address as the host at the other end reaches it. */
export function forward(client: Client, host: string, port: number, through: SshHost): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    client.forwardOut('127.0.0.1', 0, host, port, (error, stream) => {
      if (error === undefined) resolve(stream)
      else
        reject(
          new HubError(
            'HUB_TARGET_UNREACHABLE',
            say`${through.host} cannot connect to ${host}:${port}: ${error.message}`,
            {
              cure: say`Check the address, and that the host in between may forward connections (AllowTcpForwarding).`,
            },
          ),
        )
    })
  })
}

const HOST_KEYS: readonly ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
]

/** The types to accept, those of the known keys first: a host with several keys then shows one that can be recognised. */
function knownFirst(known: readonly string[]): ServerHostKeyAlgorithm[] {
  const isKnown = (algorithm: string): boolean => known.includes(algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm)
  return [...HOST_KEYS.filter(isKnown), ...HOST_KEYS.filter((algorithm) => !isKnown(algorithm))]
}

function unreachable(host: SshHost, error: unknown): Error {
  return new ConnectionLost(say`${host.host}:${host.port} cannot be reached over SSH: ${(error as Error).message}`)
}

/** The host is the right one; it did not let us in, or went away. */
function explain(host: SshHost, error: unknown): Error {
  const { level, message } = error as Error & ClientErrorExtensions
  if (level !== 'client-authentication') return unreachable(host, error)
  return new HubError(
    'HUB_TARGET_SIGN_IN_FAILED',
    host.signIn.method === 'agent'
      ? say`${host.host} does not let ${host.user} in: no key of the SSH agent fits (${message})`
      : say`${host.host} does not let ${host.user} in: no key in ${host.signIn.file} fits (${message})`,
    { cure: say`Add the public key to the authorized_keys of ${host.user} there, or choose another key or user.` },
  )
}

function refused(host: SshHost, key: HostKey, state: HostKeyState): HubError {
  const { host: name, port } = host
  const shown = `${key.algorithm} ${fingerprintOf(key.blob)}`
  return new HubError(
    'HUB_HOST_KEY_REFUSED',
    state === 'revoked'
      ? say`${name}:${port} shows the key ${shown}, which is marked as revoked`
      : say`${name}:${port} shows the key ${shown}, and another one is known for it. It was installed anew, or somebody stands in between`,
    {
      cure: say`Compare with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on the server itself. If that is right, forget the old key (also in ~/.ssh/known_hosts: ssh-keygen -R) and connect again.`,
    },
  )
}
