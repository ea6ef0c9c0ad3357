import type { Era, Reason } from '../contract/index.ts'
import { capabilitiesOfProfile } from '../gateway/call.ts'
import {
  LATEST_LEGACY,
  LATEST_MODERN,
  LEGACY_VERSIONS,
  META,
  MODERN_VERSIONS,
  McpError,
  isObject,
  rpc,
  type Params,
} from '../gateway/json-rpc.ts'
import { MAX_SERVER_DEPTH, isDeeperThan } from '../gateway/message-shape.ts'
import { say, told, type Said } from '../say.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import type { Root } from './roots.ts'

export interface ServerHello {
  era: Era
  version: string
  capabilities: Params
  serverInfo: Params | null
  instructions: string | null
}

export interface HandshakeOptions {
  clientInfo: { name: string; version: string }
  /** What this connection may be asked for by a legacy server: a capability profile. */
  profile: string
  /** What a legacy server is told of where the clients of this connection have no roots. */
  roots: readonly Root[]
  /** Era to use, or `auto` to probe. */
  era: Era | 'auto'
  startTimeoutMs: number
  /** How long a silent server is waited for before it is sent `initialize` too. */
  probeTimeoutMs: number
  /** Whether a process that ends at the probe is started once more, without it. */
  startsAgain: boolean
  openChannel: (handlers: ChannelHandlers) => Channel
  /** HTTP+SSE, for a server that refuses Streamable HTTP; null where there is no such choice. */
  openAsSse: ((handlers: ChannelHandlers) => Channel) | null
}

/** What a handshake needs of the connection that it is made on. */
export interface Line {
  readonly channel: Channel
  /** Why the channel ended, if it did. */
  readonly closeReason: Reason | null
  /** How the last request failed below MCP, if one did. */
  readonly refusal: { reason: Reason; status: number | null } | null
  /** Goes on with another channel. */
  replace: (open: (handlers: ChannelHandlers) => Channel) => Promise<void>
  request: (method: string, params: Params, timeoutMs: number) => Promise<unknown>
  notify: (method: string) => void
}

/** Finds out the era of a server and opens a connection in it (2026-07-28, "Backwards compatibility"). */
export interface Handshake {
  start: () => Promise<ServerHello>
  /** The legacy handshake, on a line that has no session (any more). */
  initialize: () => Promise<ServerHello>
  /** Whether the server let the probe pass without a word. */
  readonly probeUnanswered: boolean
}

export function createHandshake(options: HandshakeOptions, line: Line): Handshake {
  let probeUnanswered = false

  async function initialize(): Promise<ServerHello> {
    line.channel.resetSession()
    const result = await line.request(
      'initialize',
      {
        protocolVersion: LATEST_LEGACY,
        capabilities: { ...(options.roots.length > 0 ? { roots: {} } : {}), ...capabilitiesOfProfile(options.profile) },
        clientInfo: options.clientInfo,
      },
      options.startTimeoutMs,
    )
    if (!isObject(result) || typeof result['protocolVersion'] !== 'string')
      throw new UpstreamFailure(protocolReason(say`The answer to initialize has no protocolVersion`), true)
    const version = result['protocolVersion']
    if (!(LEGACY_VERSIONS as readonly string[]).includes(version)) throw unknownVersion(version)
    line.channel.established(version, false)
    line.notify('notifications/initialized')
    return helloOf('legacy', version, result, result['serverInfo'])
  }

  /** Asks `server/discover` on this very connection; null when the server shows itself to be of the legacy era. */
  async function discover(timeoutMs: number, version = LATEST_MODERN, retried = false): Promise<ServerHello | null> {
    line.channel.established(version, true)
    const meta = { [META.version]: version, [META.clientInfo]: options.clientInfo, [META.capabilities]: {} }
    let result: unknown
    try {
      result = await line.request('server/discover', { _meta: meta }, timeoutMs)
    } catch (error) {
      if (!(error instanceof McpError)) throw error
      if (line.closeReason !== null) throw new UpstreamFailure(line.closeReason)
      if (error.code === rpc.unsupportedVersion) {
        const supported = versionsOf(error.data)
        const common = MODERN_VERSIONS.find((known) => supported.includes(known))
        if (common !== undefined && !retried) return discover(timeoutMs, common, true)
        if (supported.some((known) => (LEGACY_VERSIONS as readonly unknown[]).includes(known))) return null
        throw unknownVersion(supported.join(', '))
      }
      const { refusal } = line
      if (refusal !== null && !tellsEra(refusal.status)) throw new UpstreamFailure(refusal.reason)
      return null
    }
    // Lenient servers answer `{}` to anything: only a list of versions makes it a DiscoverResult.
    const supported = isObject(result) ? result['supportedVersions'] : undefined
    if (!isObject(result) || !Array.isArray(supported)) return null
    const chosen = MODERN_VERSIONS.find((known) => supported.includes(known))
    if (chosen === undefined) return null
    line.channel.established(chosen, true)
    const info = isObject(result['_meta']) ? result['_meta'][META.serverInfo] : undefined
    return helloOf('modern', chosen, result, info)
  }

  /**
   * Probes in place. On a pipe a server that says nothing is sent `initialize` as well: one that is only slow, as the first
   * start of `npx` is, answers in the end whichever of the two it knows.
   */
  async function probe(): Promise<ServerHello> {
    if (!line.channel.isShared) return (await discover(options.probeTimeoutMs)) ?? initializeOrSse()
    const modern = discover(options.startTimeoutMs)
    let timer: NodeJS.Timeout | undefined
    const silence = new Promise<'silent'>((resolve) => {
      timer = setTimeout(resolve, options.probeTimeoutMs, 'silent')
    })
    const first = await Promise.race([modern, silence]).finally(() => clearTimeout(timer))
    if (first !== 'silent') return first ?? initialize()
    probeUnanswered = true
    const legacy = initialize()
    const discovered = modern.then((found) => {
      probeUnanswered = false
      return found ?? Promise.reject(new Error('of the legacy era'))
    })
    return Promise.any([legacy, discovered]).catch(() => legacy)
  }

  /** Where Streamable HTTP is refused, HTTP+SSE is left; if it is not that either, the first refusal tells more. */
  async function initializeOrSse(): Promise<ServerHello> {
    try {
      return await initialize()
    } catch (error) {
      const { refusal } = line
      const status = refusal?.status
      if (options.openAsSse === null || (status !== 400 && status !== 404 && status !== 405)) throw error
      try {
        await line.replace(options.openAsSse)
        return await initialize()
      } catch {
        throw new UpstreamFailure(refusal?.reason ?? protocolReason(messageOf(error)))
      }
    }
  }

  async function start(): Promise<ServerHello> {
    await line.channel.open()
    if (options.era === 'legacy') return initializeOrSse()
    if (options.era === 'modern') {
      const modern = await discover(options.startTimeoutMs)
      if (modern !== null) return modern
      throw new UpstreamFailure(
        protocolReason(say`The server does not speak the modern era (no server/discover)`),
        true,
      )
    }
    try {
      return await probe()
    } catch (error) {
      // Some servers end themselves at a request before `initialize`; they get a fresh process and no probe.
      if (line.closeReason?.code !== 'exited' || !options.startsAgain) throw error
      await line.replace(options.openChannel)
      return initialize()
    }
  }

  return {
    start,
    initialize,
    get probeUnanswered() {
      return probeUnanswered
    },
  }
}

function helloOf(era: Era, version: string, result: Params, serverInfo: unknown): ServerHello {
  const { capabilities, instructions } = result
  return {
    era,
    version,
    capabilities: isShallow(capabilities) ? capabilities : {},
    serverInfo: isShallow(serverInfo) ? serverInfo : null,
    instructions: typeof instructions === 'string' ? instructions : null,
  }
}

/** All clients are told what it says of itself, together with others. */
function isShallow(value: unknown): value is Params {
  return isObject(value) && !isDeeperThan(MAX_SERVER_DEPTH, value)
}

function versionsOf(data: unknown): unknown[] {
  return isObject(data) && Array.isArray(data['supported']) ? (data['supported'] as unknown[]) : []
}

/** Refused connections, 401, 403 and 5xx say nothing about the era. */
function tellsEra(status: number | null): boolean {
  return status !== null && status >= 400 && status < 500 && status !== 401 && status !== 403
}

function unknownVersion(version: string): UpstreamFailure {
  return new UpstreamFailure(
    protocolReason(say`The server speaks protocol version ${version}, which this hub does not know`),
    true,
  )
}

export function protocolReason(message: string | Said): Reason {
  return told({
    code: 'protocol-error',
    message,
    cure: say`Check that the command or URL is an MCP server, and its version.`,
  })
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
