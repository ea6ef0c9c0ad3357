import { capabilitiesOfProfile } from '../gateway/call.ts'
import { META } from '../gateway/json-rpc.ts'
import { listKinds, readCatalog, type Catalog, type ListKind } from './catalog.ts'
import type { Connection } from './connection.ts'

export interface ProfileCatalogsOptions {
  connection: Pick<Connection, 'hello' | 'request'>
  /** What is offered to a client that declares nothing. */
  plain: () => Catalog
  warn: (text: string) => void
  /** To some profile something else is offered, which nobody has seen before. */
  onFound: () => void
}

/**
 * What a modern server offers to clients of each capability profile. One connection serves all of them: each request says what its
 * client can do, and a server may show tools with a user interface (MCP Apps), or such that ask, only to who can do with them.
 */
export interface ProfileCatalogs {
  readonly all: readonly Catalog[]
  /** As far as it was read. */
  now: (profile: string) => Catalog | null
  /** Reads what was not read yet. Rejects with McpError. */
  of: (profile: string) => Promise<Catalog>
  /** These lists are read again; whether one is another. */
  refresh: (kinds: readonly ListKind[]) => Promise<boolean>
}

/** Clients choose what they declare: of more profiles the oldest is forgotten, and read again when it is asked for. */
const MAX_PROFILES = 20

interface Known {
  catalog: Catalog | null
  reading: Promise<Catalog>
}

export function createProfileCatalogs({ connection, plain, warn, onFound }: ProfileCatalogsOptions): ProfileCatalogs {
  const known = new Map<string, Known>()

  function read(profile: string, kinds: readonly ListKind[], previous: Catalog): Promise<Catalog> {
    const _meta = { [META.capabilities]: capabilitiesOfProfile(profile) }
    const asked: ProfileCatalogsOptions['connection'] = {
      hello: connection.hello,
      request: (method, params) => connection.request(method, { ...params, _meta }),
    }
    return readCatalog(asked, kinds, previous, warn)
  }

  async function first(profile: string): Promise<Catalog> {
    try {
      const catalog = await read(profile, listKinds, plain())
      const entry = known.get(profile)
      if (entry !== undefined) entry.catalog = catalog
      if (catalog !== plain()) onFound()
      return catalog
    } catch (error) {
      known.delete(profile)
      throw error
    }
  }

  async function again(profile: string, entry: Known, kinds: readonly ListKind[]): Promise<boolean> {
    // Where it is being read for the first time, that may have been before the change.
    const before = entry.catalog ?? (await entry.reading.catch(() => null))
    if (before === null) return false
    try {
      entry.catalog = await read(profile, kinds, before)
      entry.reading = Promise.resolve(entry.catalog)
    } catch {
      // What was offered before stays offered; the plain reading says what is wrong.
    }
    return entry.catalog !== before
  }

  return {
    get all() {
      return [...known.values()].flatMap(({ catalog }) => catalog ?? [])
    },
    now: (profile) => known.get(profile)?.catalog ?? null,
    of: (profile) => {
      const found = known.get(profile)
      if (found !== undefined) return found.reading
      const [oldest] = known.keys()
      if (known.size >= MAX_PROFILES && oldest !== undefined) known.delete(oldest)
      const entry: Known = { catalog: null, reading: first(profile) }
      known.set(profile, entry)
      return entry.reading
    },
    refresh: async (kinds) => {
      const changed = await Promise.all([...known].map(([profile, entry]) => again(profile, entry, kinds)))
      return changed.includes(true)
    },
  }
}
