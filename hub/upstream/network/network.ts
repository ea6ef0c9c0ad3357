import type { LookupFunction } from 'node:net'
import type { Agent, Dispatcher } from 'undici'
import type { TlsOptions } from '../../contract/index.ts'
import { say, told } from '../../say.ts'
import { UpstreamFailure } from '../channel.ts'
import { blockedReason } from '../http-failures.ts'
import {
  everywhere,
  forbiddenAddress,
  guardedLookup,
  internetOnly,
  literalAddress,
  reachableFrom,
  type AddressKind,
} from './addresses.ts'
import { createGuardedFetch, type Fetch } from './guarded-fetch.ts'
import { readTlsMaterial, secureContextOf } from './tls.ts'

export interface NetworkTarget {
  url: string
  /** A proxy's URL, or `direct`; undefined follows the environment. */
  proxy: string | undefined
  tls: TlsOptions | undefined
  /** Whether its sign-in may lead to private addresses. */
  allowPrivateAddresses: boolean
  /** The server itself may not be in a private network. */
  internetOnly: boolean
}

/** How one remote server is reached: its proxy, its TLS, its connections. Closed with the server. */
export interface ServerNetwork {
  /** For the server itself. */
  dispatcher: (target: NetworkTarget) => Promise<Dispatcher>
  /** For what the server's sign-in names. */
  fetch: (target: NetworkTarget, ...request: Parameters<Fetch>) => Promise<Response>
  close: () => Promise<void>
}

const CONNECT_TIMEOUT_MS = 10_000
/** The environment's proxy is for what is outside. */
const NEVER_PROXIED = 'localhost,127.0.0.1,[::1]'

export interface NetworkOptions {
  /** Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY. */
  env: (name: string) => string | undefined
  /** Folder that the paths of certificates start from. */
  configDir: string
}

export function createServerNetwork(options: NetworkOptions): ServerNetwork {
  let key = ''
  let main: Promise<Dispatcher> | null = null
  let guarded: Promise<GuardedLink> | null = null

  async function close(): Promise<void> {
    const open = [main, guarded?.then(({ dispatcher }) => dispatcher)]
    main = null
    guarded = null
    for (const opening of open) await opening?.then((dispatcher) => dispatcher.destroy()).catch(() => undefined)
  }

  /** With its files read. A changed entry, certificate or secret takes effect at the next start. */
  function current(target: NetworkTarget): NetworkTarget {
    const { tls } = target
    const read = tls === undefined ? target : { ...target, tls: readTlsMaterial(tls, options.configDir) }
    const next = JSON.stringify(read)
    if (next !== key) void close()
    key = next
    return read
  }

  return {
    dispatcher: async (target) => {
      await refuseForbidden(target, options.env)
      const read = current(target)
      main ??= openDispatcher(read, options.env, ownLookup(read))
      return main
    },
    fetch: async (target, url, init) => {
      await refuseForbidden(target, options.env)
      const read = current(target)
      main ??= openDispatcher(read, options.env, ownLookup(read))
      guarded ??= openGuarded(read, main, options.env)
      return (await guarded).fetch(url, init)
    },
    close,
  }
}

interface GuardedLink {
  dispatcher: Dispatcher
  fetch: Fetch
}

async function openGuarded(
  target: NetworkTarget,
  opening: Promise<Dispatcher>,
  env: (name: string) => string | undefined,
): Promise<GuardedLink> {
  const own = await opening
  const found = target.internetOnly ? internetOnly : await reachableFrom(new URL(target.url).hostname)
  const allowed = target.allowPrivateAddresses ? new Set([...found, 'private' as const]) : found
  const dispatcher = await openDispatcher(target, env, { lookup: guardedLookup(allowed), own: false })
  return { dispatcher, fetch: createGuardedFetch({ serverUrl: target.url, own, dispatcher, allowed }) }
}

interface Resolution {
  lookup: LookupFunction
  /** It is the server itself that is reached. */
  own: boolean
}

/** What is connected to is what was checked: names are resolved by us, and only to where the server may be. */
function ownLookup(target: NetworkTarget): Resolution {
  return { lookup: guardedLookup(placesOf(target)), own: true }
}

function placesOf(target: NetworkTarget): ReadonlySet<AddressKind> {
  return target.internetOnly ? internetOnly : everywhere
}

/**
 * Throws UpstreamFailure when the server's address, or the proxy of its entry, is where it may not be. An address is never
 * looked up, and behind a proxy no name is: those are checked here.
 */
async function refuseForbidden(target: NetworkTarget, env: (name: string) => string | undefined): Promise<void> {
  const { url, proxy } = target
  const { hostname } = new URL(url)
  const proxied = proxy === undefined ? proxyOfEnvironment(env) : proxy !== 'direct'
  const hosts = [
    ...(proxied || literalAddress(hostname) !== null ? [hostname] : []),
    ...(proxy === undefined || proxy === 'direct' ? [] : [new URL(proxy).hostname]),
  ]
  for (const host of hosts) {
    const found = await forbiddenAddress(host, placesOf(target))
    if (found !== null) throw new UpstreamFailure(blockedReason(found), true)
  }
}

function proxyOfEnvironment(env: (name: string) => string | undefined): boolean {
  return ['HTTP_PROXY', 'HTTPS_PROXY'].some((name) => (env(name.toLowerCase()) ?? env(name) ?? '') !== '')
}

/** undici is loaded here, and all of it only for a proxy: a hub whose servers are all processes of its own does without. */
async function openDispatcher(
  { url, proxy, tls }: NetworkTarget,
  env: (name: string) => string | undefined,
  { lookup, own }: Resolution,
): Promise<Dispatcher> {
  const context = tls === undefined ? {} : { secureContext: secureContextOf(tls) }
  // The name is that of the server; whatever else its sign-in needs has its own.
  const secure = own && tls?.servername !== undefined ? { ...context, servername: tls.servername } : context
  const options: Agent.Options = {
    // As many as there are exchanges: hub.maxConcurrentCalls limits the calls, and the answers that a server waits for in a
    // call must not stand in line behind calls that wait for theirs.
    pipelining: 1,
    // One stream a connection: with HTTP/2 one slow reader holds up all others.
    allowH2: false,
    keepAliveTimeout: 4_000,
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: CONNECT_TIMEOUT_MS, ...secure, lookup },
  }
  const named = (name: string): string => env(name.toLowerCase()) ?? env(name) ?? ''
  // Choosing a proxy costs every request; where there is none to choose, none is looked for.
  const isDirect = proxy === 'direct' || (proxy === undefined && named('HTTP_PROXY') + named('HTTPS_PROXY') === '')
  if (isDirect && own) {
    const { default: Pool } = await import('undici/lib/dispatcher/pool.js')
    return new Pool(new URL(url).origin, options)
  }
  if (isDirect) {
    const { default: Agent } = await import('undici/lib/dispatcher/agent.js')
    return new Agent(options)
  }
  const { EnvHttpProxyAgent, Pool, ProxyAgent } = await import('undici')
  const proxied = {
    ...options,
    connectTimeout: CONNECT_TIMEOUT_MS,
    requestTls: { ...secure, allowH2: false },
    // The environment's proxy is the operator's; one of an entry is as free as its URL.
    proxyTls: proxy === undefined ? context : { ...context, lookup },
    // Where a proxy forwards plain HTTP, undici makes the pool without our options.
    factory: (origin: string | URL, given: object) => new Pool(origin, { ...options, ...given }),
  }
  try {
    if (proxy !== undefined) return new ProxyAgent({ ...proxied, uri: proxy })
    return new EnvHttpProxyAgent({
      ...proxied,
      httpProxy: named('HTTP_PROXY'),
      httpsProxy: named('HTTPS_PROXY'),
      noProxy: [named('NO_PROXY'), NEVER_PROXIED].filter(Boolean).join(','),
    })
  } catch (error) {
    throw new UpstreamFailure(
      told({
        code: 'proxy',
        message: say`The proxy cannot be used: ${error instanceof Error ? error.message : String(error)}`,
        cure: say`Correct hub.proxy, or HTTP_PROXY and HTTPS_PROXY.`,
      }),
      true,
    )
  }
}
