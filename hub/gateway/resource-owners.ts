import type { Upstream } from '../upstream/upstream.ts'

/** Whose a resource is. */
export interface ResourceOwner {
  upstream: Upstream
  /** The URI, or the template, as that server knows it. */
  uri: string
}

/** What one server brings to the endpoint of several; in the order of the configuration. */
export interface ResourceMember {
  upstream: Upstream
  /** The URIs that it lists, and those that its tools name. */
  uris: readonly string[]
  templates: readonly string[]
  /** Whether the endpoint shows a resource of it that it does not list. */
  shows: (uri: string) => boolean
}

/**
 * Whose the resources of several servers are. A URI that two offer is the first one's; the other's has `#server=<prefix>` at
 * its end, or `&server=<prefix>` where it has a fragment. The same holds for templates that match the same URIs. The mark is a
 * fragment so that scheme, host and path stay what they are to whoever looks at them. It is understood in any URI.
 */
export interface ResourceOwners {
  /** Null when no server is known for the URI. */
  find: (uri: string) => ResourceOwner | null
  findTemplate: (template: string) => ResourceOwner | null
  /** A URI of that server as the client knows it. */
  exposed: (upstream: Upstream, uri: string) => string
  exposedTemplate: (upstream: Upstream, template: string) => string
  /** Whether any URI of that server is not its own to name. */
  hasMarked: (upstream: Upstream) => boolean
}

const MARKED = /^(.*)[#&]server=([A-Za-z0-9_-]+)$/s

/** The URI and the prefix of which `#server=<prefix>` makes a marked one; null when it has no mark. */
export function readMark(uri: string): { own: string; prefix: string } | null {
  const [, own, prefix] = MARKED.exec(uri) ?? []
  return own === undefined || prefix === undefined ? null : { own, prefix }
}

function marked(uri: string, { prefix }: Upstream): string {
  return `${uri}${uri.includes('#') ? '&' : '#'}server=${prefix}`
}

export function createResourceOwners(members: readonly ResourceMember[]): ResourceOwners {
  const owners = new Map<string, Upstream>()
  /** By what they match. */
  const patterns = new Map<string, { upstream: Upstream; pattern: UriPattern }>()
  const templates = new Map<string, ResourceOwner>()
  const withMarks = new Set<Upstream>()
  for (const { upstream, uris, templates: own } of members) {
    for (const uri of uris) {
      if (!owners.has(uri)) owners.set(uri, upstream)
      else if (owners.get(uri) !== upstream) withMarks.add(upstream)
    }
    for (const template of own) {
      const pattern = templatePattern(template)
      const known = patterns.get(pattern.source)
      if (known === undefined) patterns.set(pattern.source, { upstream, pattern })
      const isOwn = known === undefined || known.upstream === upstream
      if (!isOwn) withMarks.add(upstream)
      const exposed = isOwn ? template : marked(template, upstream)
      if (!templates.has(exposed)) templates.set(exposed, { upstream, uri: template })
    }
  }

  function ownerOf(uri: string): Upstream | undefined {
    const listed = owners.get(uri)
    if (listed !== undefined) return listed
    for (const { upstream, pattern } of patterns.values()) if (pattern.test(uri)) return upstream
    return undefined
  }

  function findMarked(uri: string): ResourceOwner | null {
    const mark = readMark(uri)
    const member = members.find(({ upstream }) => upstream.prefix === mark?.prefix)
    return mark !== null && member?.shows(mark.own) === true ? { upstream: member.upstream, uri: mark.own } : null
  }

  return {
    find: (uri) => {
      const listed = owners.get(uri)
      if (listed !== undefined) return { upstream: listed, uri }
      const explicit = findMarked(uri)
      if (explicit !== null) return explicit
      const upstream = ownerOf(uri)
      return upstream === undefined ? null : { upstream, uri }
    },
    findTemplate: (template) => templates.get(template) ?? null,
    exposed: (upstream, uri) => ((ownerOf(uri) ?? upstream) === upstream ? uri : marked(uri, upstream)),
    exposedTemplate: (upstream, template) =>
      (patterns.get(templatePattern(template).source)?.upstream ?? upstream) === upstream
        ? template
        : marked(template, upstream),
    hasMarked: (upstream) => withMarks.has(upstream),
  }
}

/** What the expansions of a URI template match. */
export interface UriPattern {
  /** The same for templates that match the same URIs, whatever their variables are called. */
  readonly source: string
  test: (uri: string) => boolean
}

/** What an expression of a template stands for: anything, one segment of a path, or a query that may not be there. */
type Gap = 'any' | 'segment' | 'query'

/** A longer template matches no URI but itself, and a longer URI no template: the work is the product of both. */
const MAX_TEMPLATE = 2_000
const MAX_URI = 8_192

/**
 * A URI template (RFC 6570) as a pattern that its expansions match. Servers choose templates, so it is no regular expression:
 * one with many gaps would try the places of each for each place of the others.
 */
export function templatePattern(template: string): UriPattern {
  if (template.length > MAX_TEMPLATE) return { source: template, test: (uri) => uri === template }
  const parts = template.split(/(\{[^}]*\})/).map((text) => ({ text, gap: gapOf(text) }))
  return {
    source: JSON.stringify(parts.map(({ text, gap }) => (gap === null ? [text] : gap))),
    test: (uri) => {
      if (uri.length > MAX_URI) return false
      let reached = new Uint8Array(uri.length + 1)
      reached[0] = 1
      for (const { text, gap } of parts) reached = gap === null ? after(text, uri, reached) : beyond(gap, uri, reached)
      return reached[uri.length] === 1
    },
  }
}

function gapOf(piece: string): Gap | null {
  if (!/^\{.*\}$/s.test(piece)) return null
  if (/^\{[+#/]|\*\}$/.test(piece)) return 'any'
  return /^\{[?&]/.test(piece) ? 'query' : 'segment'
}

/** Where in a URI one may be after a text, from where one may be before it. */
function after(text: string, uri: string, from: Uint8Array): Uint8Array<ArrayBuffer> {
  const to = new Uint8Array(from.length)
  for (let at = from.indexOf(1); at !== -1; at = from.indexOf(1, at + 1))
    if (uri.startsWith(text, at)) to[at + text.length] = 1
  return to
}

/** The same for a gap, which may be empty. */
function beyond(gap: Gap, uri: string, from: Uint8Array): Uint8Array<ArrayBuffer> {
  const to = Uint8Array.from(from)
  let open = false
  for (let at = 1; at < to.length; at++) {
    const character = uri[at - 1]
    if (gap === 'query') open ||= from[at - 1] === 1 && (character === '?' || character === '&')
    else open = to[at - 1] === 1 && (gap === 'any' || character !== '/')
    if (open) to[at] = 1
  }
  return to
}
