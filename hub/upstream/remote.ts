import type { RemoteServerConfig } from '../contract/index.ts'
import { resolveReferences, type ReferenceSources, type ResolvedServer } from '../config/references.ts'
import { say, told, wordsFrom } from '../say.ts'
import type { Authorization } from './authorization.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import { deferChannel } from './deferred-channel.ts'
import type { HttpTarget } from './http-requester.ts'
import type { NetworkTarget, ServerNetwork } from './network/network.ts'
import type { AccountPlace } from './oauth/place.ts'

export interface RemoteOptions {
  name: string
  references: ReferenceSources
  /** Folder that the paths of certificates start from. */
  configDir: string
  maxResponseBytes: number
  /** Whether servers may be in private networks although their entry does not say so. */
  allowPrivateAddresses: () => boolean
  authorization: (server: string, place: AccountPlace) => Authorization
}

/** How one server is reached where it is remote: its address with all references resolved, its network, its sign-in. */
export interface Remote {
  /** Throws UpstreamFailure when a reference has no value. */
  openChannel: (config: RemoteServerConfig, handlers: ChannelHandlers) => Channel
  /** For its sign-in; null where the entry brings an Authorization of its own. */
  place: (config: RemoteServerConfig) => AccountPlace | null
  close: () => Promise<void>
}

export function createRemote(options: RemoteOptions): Remote {
  const { name, references } = options
  let loading: Promise<ServerNetwork> | null = null

  /** Loaded with the first remote server that connects. */
  function network(): Promise<ServerNetwork> {
    loading ??= import('./network/network.ts').then(({ createServerNetwork }) =>
      createServerNetwork({ env: references.env, configDir: options.configDir }),
    )
    return loading
  }

  function networkTarget({ url, remote }: ResolvedServer): NetworkTarget {
    const { proxy, tls, oauth } = remote
    return {
      url: url ?? '',
      proxy,
      tls,
      allowPrivateAddresses: oauth?.allowPrivateAddresses ?? false,
      internetOnly: isInternetOnly(remote, options.allowPrivateAddresses),
    }
  }

  function placeOf(resolved: ResolvedServer): AccountPlace | null {
    if (Object.keys(resolved.headers).some((key) => key.toLowerCase() === 'authorization')) return null
    return {
      url: resolved.url ?? '',
      oauth: resolved.remote.oauth ?? {},
      fetch: async (url, init) => (await network()).fetch(networkTarget(resolved), url, init),
    }
  }

  return {
    openChannel: (config, handlers) => {
      const resolved = resolvedOf(name, config, references)
      refuseCredentials(name, resolved.url ?? '')
      const place = placeOf(resolved)
      const target: HttpTarget = {
        url: resolved.url ?? '',
        headers: resolved.headers,
        connect: async () => (await network()).dispatcher(networkTarget(resolved)),
        authorization: place === null ? null : options.authorization(name, place),
      }
      const { maxResponseBytes } = options
      // Loaded, as the network is, with the first server that needs it.
      return config.type === 'sse'
        ? deferChannel(true, async () =>
            (await import('./sse-channel.ts')).createSseChannel(target, handlers, { maxResponseBytes }),
          )
        : deferChannel(false, async () =>
            (await import('./http-channel.ts')).createHttpChannel(target, handlers, { maxResponseBytes }),
          )
    },
    place: (config) => placeOf(resolvedOf(name, config, references)),
    close: async () => (await loading)?.close(),
  }
}

/** Whether a server may not be in a private network: as its entry says, else as the hub does. */
export function isInternetOnly({ allowPrivateAddresses }: ResolvedServer['remote'], otherwise: () => boolean): boolean {
  return !(allowPrivateAddresses ?? otherwise())
}

/** An entry with every reference in its place; a value that is missing is told before anything is started. */
export function resolvedOf(
  name: string,
  config: Parameters<typeof resolveReferences>[0],
  references: ReferenceSources,
): ResolvedServer {
  const { resolved, faults } = resolveReferences(config, references)
  const [first] = faults
  if (first === undefined) return resolved
  throw new UpstreamFailure(
    told({
      code: 'unresolved-reference',
      message: say`${first.path} of ${name}: ${wordsFrom(first, 'message')}`,
      cure: wordsFrom(first, 'cure'),
    }),
    true,
  )
}

/** Nothing would send them: better said than a server that asks for a sign-in for no reason that can be seen. */
function refuseCredentials(name: string, url: string): void {
  const { username, password } = new URL(url)
  if (username + password === '') return
  throw new UpstreamFailure(
    told({
      code: 'unresolved-reference',
      message: say`The url of ${name} holds a user or password`,
      cure: say`Take them out, and set the header Authorization to Basic or Bearer with a \${secret:NAME}.`,
    }),
    true,
  )
}
