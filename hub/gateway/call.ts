import { parseExactly } from '../contract/exact-json.ts'
import type { Era, Limits } from '../contract/index.ts'
import { McpError, isObject, rpc, type Params, type Reply } from './json-rpc.ts'

export type ClientCapabilities = Params
export const logLevels = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const
export type LogLevel = (typeof logLevels)[number]

/** Hears when what happens to a call, for the record of it. */
export interface CallMoments {
  /** It cannot go to the server yet: that starts, has too many calls, or has no connection that is free. */
  waits: () => void
  /** It goes to the server now, by `performance.now()`. */
  sent: (now: number) => void
  /** The first byte of what the server answered came, by `performance.now()`. */
  heard: (at: number) => void
  /** A question of the server goes to the client. */
  asks: () => void
  /** The client has answered what it was asked. */
  told: () => void
}

/** A request of a server to the client of a call that runs there. */
export interface Question {
  readonly method: string
  readonly params: Params | undefined
  /** Aborted when the server withdraws the question or the call is over. */
  readonly signal: AbortSignal
  /** The client's progress with it, under the server's own token. */
  readonly onProgress: (params: Params) => void
}

/** The client of a session beyond its calls: what concerns it without belonging to one. */
export interface SessionClient {
  /** A notification, for a client that listens. */
  hear: (method: string, params: Params | undefined) => void
  /** A question; null when the client cannot be asked it, or not now. */
  askAside: (question: Question) => Promise<unknown> | null
}

/**
 * One request of one client on its way to a server: neutral to the era on either side. The edge that made it renders what
 * comes back; the connection that carries it knows nothing of HTTP responses or sessions.
 */
export interface Call {
  readonly method: string
  /** The client's params with names already translated for the server. The connection may change `_meta` in place. */
  readonly params: Params | undefined
  readonly clientEra: Era
  /** Exchanges with the same owner belong to one client session; a server's question never crosses owners. */
  readonly owner: string
  readonly principal: string
  /** Undefined where there is no session. */
  readonly client?: SessionClient
  readonly capabilities: ClientCapabilities
  readonly clientInfo: unknown
  /** The client's own progress token, when it wants progress. */
  readonly progressToken: string | number | undefined
  /** Level from which the client wants log messages; undefined for none. */
  readonly logLevel: LogLevel | undefined
  /** The client itself has named that level; without it the hub takes one for granted. */
  readonly wantsLogs: boolean
  /** `Mcp-Param-*` headers for a modern HTTP server. */
  readonly paramHeaders: Record<string, string> | undefined
  /** Undefined for what is in no record. */
  readonly moments?: CallMoments
  /** A notification within the call's scope, with tokens as the client knows them. */
  notify: (method: string, params: Params | undefined) => void
  /** Puts the server's question to the client; resolves with its result, rejects with McpError. */
  ask: (question: Question) => Promise<unknown>
  /** The end of the call; called exactly once. */
  finish: (reply: Reply) => void
}

/** Stops a call that runs: the server is told, and nothing further reaches the client. */
export type CancelCall = (reason: string) => void

/** Methods whose server may ask for input: in the modern era between rounds, each a request of its own. */
export const WITH_INPUT: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** Bridged to nobody: its form is another one in each era, and only the modern one has it as an extension. */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks'

/** Tells of the end of a visit of a page, in the legacy era alone; the visit's id tells whose it was. */
export const ELICITATION_COMPLETE = 'notifications/elicitation/complete'

/** What of a client's capabilities shapes what a legacy server offers it, or lets the server ask it. */
const SHAPING = ['elicitation', 'sampling', 'roots', 'extensions', 'experimental'] as const

/** A request is brought to one of many servers: what its client declares is asked for each. */
const profiles = new WeakMap<ClientCapabilities, string>()

/** What a client declares, as a key: servers of the legacy era shape their lists by it. Empty for a plain client. */
export function capabilityProfile(capabilities: ClientCapabilities): string {
  if (!hasProfile(capabilities)) return ''
  const known = profiles.get(capabilities)
  if (known !== undefined) return known
  const profile = JSON.stringify(
    Object.fromEntries(
      SHAPING.flatMap((key) => {
        if (!declares(capabilities, key)) return []
        const { [TASKS_EXTENSION]: _tasks, ...others } = capabilities[key] as Params
        return [[key, key === 'extensions' ? others : capabilities[key]]]
      }),
    ),
  )
  profiles.set(capabilities, profile)
  return profile
}

/** Throws McpError when a client says more of itself than is kept for one; `bytes` of that, or of what holds it. */
export function checkClient(bytes: number, { maxClientBytes }: Limits): void {
  if (bytes <= maxClientBytes) return
  const text = `What a client says of itself has at most ${maxClientBytes} bytes, not ${bytes} (limits.maxClientBytes)`
  throw new McpError(rpc.limitExceeded, text)
}

/** Asked for each server at each request: names that are written out are found sooner than those of a list. */
export function hasProfile(capabilities: ClientCapabilities): boolean {
  const { elicitation, sampling, roots, extensions, experimental } = capabilities
  return (
    (elicitation ?? sampling ?? roots ?? null) !== null ||
    ((extensions ?? experimental ?? null) !== null &&
      (declares(capabilities, 'extensions') || declares(capabilities, 'experimental')))
  )
}

function declares(capabilities: ClientCapabilities, key: (typeof SHAPING)[number]): boolean {
  const value = capabilities[key]
  if (value === undefined || value === null) return false
  // An empty `elicitation` is one; an empty list of extensions is none.
  if (key !== 'extensions' && key !== 'experimental') return true
  for (const name of Object.keys(value)) if (name !== TASKS_EXTENSION) return true
  return false
}

/** The capabilities that a connection of a profile declares to its server. */
export function capabilitiesOfProfile(profile: string): ClientCapabilities {
  return profile === '' ? {} : (parseExactly(profile) as ClientCapabilities)
}

/** Whether a client has declared that it can be asked this; methods beyond the specification are the client's to refuse. */
export function canAnswer(capabilities: ClientCapabilities, method: string, params: Params | undefined): boolean {
  if (method === 'sampling/createMessage') return capabilities['sampling'] !== undefined
  if (method === 'roots/list') return capabilities['roots'] !== undefined
  if (method !== 'elicitation/create') return true
  const modes = capabilities['elicitation']
  if (!isObject(modes)) return false
  // A client that names no mode has forms, the only ones there were.
  return params?.['mode'] === 'url'
    ? modes['url'] !== undefined
    : modes['form'] !== undefined || modes['url'] === undefined
}

export function isLogged(level: unknown, threshold: LogLevel): boolean {
  return logLevels.indexOf(level as LogLevel) >= logLevels.indexOf(threshold)
}
