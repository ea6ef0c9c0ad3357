import { z } from 'zod'

/** Of a resource that is an app (MCP Apps, `io.modelcontextprotocol/ui`). */
export const APP_MIME_TYPE = 'text/html;profile=mcp-app'
/** The document in which an app runs; the page hands the app's HTML over to it. */
export const APP_FRAME_PATH = '/api/apps/frame'

/** What an app may load from elsewhere, as `_meta.ui.csp` of its resource has it. */
export const appDomains = ['connectDomains', 'resourceDomains', 'frameDomains', 'baseUriDomains'] as const
export type AppDomains = Readonly<Record<(typeof appDomains)[number], readonly string[]>>

const MAX_LENGTH = 2_000
const MAX_DECLARED = 100
const sources = z.string().max(MAX_LENGTH).default('').describe('Origins with a space between them')
/** `GET /api/apps/frame` */
export const appFrameQuerySchema = z.strictObject({
  connectDomains: sources,
  resourceDomains: sources,
  frameDomains: sources,
  baseUriDomains: sources,
})

/** Of a name, so never an address of this computer or its network; with `*.` in front at least of two labels. */
const SOURCE =
  /^(?:https|wss):\/\/(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9](?::\d{1,5})?\/?$/i
const LOCAL = /\.(?:localhost|local|internal|localdomain|home\.arpa)$/

/**
 * What of the declared origins an app gets: https and wss at domain names. Everything else would widen what the frame reaches
 * (a keyword, a scheme, `*`, this computer, the hub itself) or end the directive that it is written into.
 */
export function appSource(declared: string, ownHost: string): string | null {
  if (declared.length > 300 || !SOURCE.test(declared)) return null
  const source = declared.toLowerCase().replace(/\/$/, '')
  const host = source.replace(/^\w+:\/\//, '')
  const name = host.replace(/:\d+$/, '')
  if (LOCAL.test(name)) return null
  const own = ownHost.toLowerCase().replace(/:\d+$/, '')
  const reachesHub = name.startsWith('*.') ? own.endsWith(name.slice(1)) : name === own
  return reachesHub ? null : source
}

/** What of its declaration an app gets, and what not. */
export function sortAppDomains(declared: unknown, ownHost: string): { allowed: AppDomains; refused: string[] } {
  const given = (typeof declared === 'object' && declared !== null ? declared : {}) as Record<string, unknown>
  const refused: string[] = []
  const allowed = Object.fromEntries(
    appDomains.map((kind) => {
      const kept = new Set<string>()
      let room = MAX_LENGTH
      for (const entry of Array.isArray(given[kind]) ? (given[kind] as unknown[]).slice(0, MAX_DECLARED) : []) {
        const source = typeof entry === 'string' ? appSource(entry, ownHost) : null
        if (source !== null && kept.has(source)) continue
        if (source === null || source.length >= room) {
          refused.push(typeof entry === 'string' ? entry.slice(0, 300) : `(${typeof entry})`)
          continue
        }
        kept.add(source)
        room -= source.length + 1
      }
      return [kind, [...kept]]
    }),
  ) as unknown as AppDomains
  return { allowed, refused }
}

/** The address of the frame for an app that may reach these. */
export function appFrameUrl(allowed: AppDomains): string {
  const query = new URLSearchParams()
  for (const kind of appDomains) if (allowed[kind].length > 0) query.set(kind, allowed[kind].join(' '))
  return query.size === 0 ? APP_FRAME_PATH : `${APP_FRAME_PATH}?${query.toString()}`
}

/**
 * The policy of that document, which the app's HTML cannot change. Sandboxed without an origin, so that it has no cookies and no
 * storage and is a stranger to the page and to the hub; without network but to what was declared. It says no `'self'` but for who
 * may frame it: the hub is no source of an app.
 */
export function appFramePolicy({ connectDomains, resourceDomains, frameDomains, baseUriDomains }: AppDomains): string {
  const list = (...entries: readonly string[]): string => (entries.length === 0 ? "'none'" : entries.join(' '))
  return [
    // Forms, because their events are what many apps work with; where one would be sent to is refused below.
    'sandbox allow-scripts allow-forms',
    "default-src 'none'",
    `script-src ${list("'unsafe-inline'", ...resourceDomains)}`,
    `style-src ${list("'unsafe-inline'", ...resourceDomains)}`,
    `img-src ${list('data:', 'blob:', ...resourceDomains)}`,
    `media-src ${list('data:', 'blob:', ...resourceDomains)}`,
    `font-src ${list('data:', ...resourceDomains)}`,
    `connect-src ${list(...connectDomains)}`,
    `frame-src ${list(...frameDomains)}`,
    'worker-src blob:',
    "object-src 'none'",
    `base-uri ${list(...baseUriDomains)}`,
    "form-action 'none'",
    "frame-ancestors 'self'",
  ].join('; ')
}
