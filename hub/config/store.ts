import { isDeepStrictEqual } from 'node:util'
import type {
  ConfigTexts,
  Fault,
  Profile,
  ProfilesFile,
  ServerConfig,
  ServersFile,
  SystemFile,
} from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, wordsFrom, type Words } from '../say.ts'
import type * as Editor from './edited-text.ts'
import type { Sources } from './interpolate.ts'
import { emptyTexts, type Documents, type NewText, type ReadDocument } from './documents.ts'
import { checkIfMatch } from './entity-tag.ts'
import { parseJsonc, type Parsed } from './jsonc.ts'
import { plainServers } from './plain-servers.ts'
import { withOverrides, type SystemOverrides } from './read-settings.ts'

/** What a change is made under. */
export interface Change {
  /** The entry's new name; it stays in its place. */
  rename?: string | undefined
  /** Who makes it; null is somebody who edits the files. */
  by?: string | null
  reason?: Words | null
  /** The ETag of the entry as it was read, or of all texts where they are replaced: it must still be that one. */
  ifMatch?: string | undefined
}

export interface ConfigStore {
  readonly servers: ServersFile
  /** In force: with the values of its references, and of what goes before it. */
  readonly system: SystemFile
  /** As it is written, for what goes elsewhere: a bundle, diagnostics. */
  readonly systemAsWritten: SystemFile
  readonly profiles: ProfilesFile
  /** The files as they are in force, comments and all. */
  readonly texts: ConfigTexts
  /** Faults of the files as they are on disk; while there are any, the last good configuration is in force. */
  readonly faults: Fault[]
  /**
   * Adds, replaces or (with null) removes an entry; a function makes it of the one that is there. Profiles follow another name:
   * while profiles.json is broken, nobody can tell which of them say something of it, and it gets none.
   */
  saveServer: (
    name: string,
    config: ServerConfig | null | ((present: ServerConfig | null) => ServerConfig),
    change?: Change,
  ) => Promise<void>
  /** Adds, replaces or (with null) removes a profile. */
  saveProfile: (name: string, config: Profile | null, change?: Change) => Promise<void>
  /** Puts what `value` makes of what is at the path there; `undefined` removes it. */
  saveSystem: (path: string[], value: (present: unknown) => unknown, change?: Change) => Promise<void>
  /** Puts other texts in the files' places: all of them, or none. */
  replace: (texts: ConfigTexts, change?: Change) => Promise<void>
  /** Reads the documents again, also where only the values of their references are others. */
  reload: () => Promise<void>
  /** Told of each configuration that comes into force after the first one. */
  onVersion: ((texts: ConfigTexts, by: string | null, reason: Words | null) => void) | null
  /** `system` is another than before, whoever changed it. */
  onSystem: (() => void) | null
  /** Told of the documents that somebody else changed. */
  watch: (onChange: (changed: ReadonlySet<Name>) => void) => void
  dispose: () => Promise<void>
}

/** So often may other hubs be quicker with one document before a change is given up. */
const MAX_TRIES = 20
const NAMES = ['servers', 'system', 'profiles'] as const
type Name = (typeof NAMES)[number]
/** What becomes of one document; `change` throws for one that is broken, and for a text that would be. */
interface Part {
  name: Name
  change: (over: ReadDocument) => Promise<{ before: string; text: string }>
}
/** The schemas are loaded for a file that needs them: to build them is the dearest part of a start. */
type Parse<T> = (text: string, file: string) => Promise<Parsed<T>>

const parseServers: Parse<ServersFile> = async (text, file) => {
  const document = parseJsonc(text, file)
  const plain = document.ok ? plainServers(document.value.value) : null
  return plain === null ? (await import('./parse-servers.ts')).parseServersFile(text, file) : { ok: true, value: plain }
}

const parseProfiles: Parse<ProfilesFile> = async (text, file) =>
  (await import('./parse-profiles.ts')).parseProfilesFile(text, file)

/** Loaded with the first change: who only reads carries no editor. */
const editor = async (): Promise<typeof Editor> => import('./edited-text.ts')

/**
 * Reads the configuration. `sources` give the values of references in system.json, `overrides` what goes before it. Documents
 * that are not there are empty configurations; broken ones are told by `faults`.
 */
export async function openConfigStore(
  documents: Documents,
  sources?: Sources,
  overrides: SystemOverrides = {},
): Promise<ConfigStore> {
  const parseSystem: Parse<SystemFile> = async (content, file) =>
    (await import('./parse-system.ts')).parseSystemFile(content, file, sources)
  let servers: ServersFile = { mcpServers: {} }
  let system = withOverrides({}, overrides)
  let systemAsWritten: SystemFile = {}
  let profiles: ProfilesFile = { profiles: {} }
  let serverFaults: Fault[] = []
  let systemFaults: Fault[] = []
  let profileFaults: Fault[] = []
  /** Last text seen of each document: what we wrote ourselves is no change. */
  const seen = new Map<Name, string>()
  let watcher: { close: () => void } | null = null
  let told: ((names: ReadonlySet<Name>) => void) | null = null
  let queue: Promise<unknown> = Promise.resolve()
  let inForce: ConfigTexts = {
    servers: emptyTexts.servers,
    system: emptyTexts.system,
    profiles: emptyTexts.profiles,
  }

  async function read<T>(name: Name, empty: T, parse: Parse<T>): Promise<{ changed: boolean; parsed: Parsed<T> }> {
    const found = await documents.read(name)
    // What cannot be read has no text to compare: it is told each time.
    if (!found.ok) return { changed: seen.delete(name), parsed: { ok: false, faults: [found.fault] } }
    const content = found.text ?? emptyTexts[name]
    const changed = seen.get(name) !== content
    seen.set(name, content)
    const parsed: Parsed<T> =
      found.text === null ? { ok: true, value: empty } : await parse(content, documents.placeOf(name))
    return { changed, parsed }
  }

  /** Reads all three; answers which of them are others than before. */
  async function load(by: string | null = null, reason: Words | null = null): Promise<ReadonlySet<Name>> {
    const [first, second, third] = await Promise.all([
      read('servers', { mcpServers: {} }, parseServers),
      read('system', {}, parseSystem),
      read('profiles', { profiles: {} }, parseProfiles),
    ])
    let systemChanged = false
    if (first.parsed.ok) {
      servers = first.parsed.value
      serverFaults = []
    } else serverFaults = first.parsed.faults
    if (second.parsed.ok) {
      const next = withOverrides(second.parsed.value, overrides)
      // What did not change stays the same object.
      systemChanged = !isDeepStrictEqual(next, system)
      if (systemChanged) system = next
      const written = parseJsonc(seen.get('system') ?? emptyTexts.system, null)
      // It is valid but for the lengths of what its references stand for.
      systemAsWritten = written.ok ? (written.value.value as SystemFile) : {}
      systemFaults = []
    } else systemFaults = second.parsed.faults
    if (third.parsed.ok) {
      // A profile that did not change stays the same object: what is derived from it is kept.
      profiles = { ...third.parsed.value, profiles: keepSame(profiles.profiles, third.parsed.value.profiles) }
      profileFaults = []
    } else profileFaults = third.parsed.faults
    if (first.parsed.ok && second.parsed.ok && third.parsed.ok) {
      inForce = {
        servers: seen.get('servers') ?? emptyTexts.servers,
        system: seen.get('system') ?? emptyTexts.system,
        profiles: seen.get('profiles') ?? emptyTexts.profiles,
      }
      store.onVersion?.(inForce, by, reason)
    }
    if (systemChanged) store.onSystem?.()
    const changed = { servers: first.changed, system: second.changed, profiles: third.changed }
    return new Set(NAMES.filter((name) => changed[name]))
  }

  /** A change of one document: of its text as it was read, and what that says. */
  function part<T>(name: Name, parse: Parse<T>, change: (text: string, current: T) => Promise<string>): Part {
    const place = documents.placeOf(name)
    return {
      name,
      change: async (over) => {
        const before = (over.ok ? over.text : null) ?? emptyTexts[name]
        const current: Parsed<T> = over.ok ? await parse(before, place) : { ok: false, faults: [over.fault] }
        if (!current.ok) {
          throw new HubError('HUB_CONFIG_FILE_BROKEN', say`${place} is broken, so nothing is written into it`, {
            faults: current.faults,
            cure: say`Correct the file first.`,
          })
        }
        const text = await change(before, current.value)
        checkText(await parse(text, place))
        return { before, text }
      },
    }
  }

  /** One change at a time, each on the newest texts, so that no edit is lost and comments stay. */
  function edit(parts: readonly [Part, ...Part[]], { by = null, reason = null }: Change): Promise<void> {
    return alone(async () => {
      const others = new Set<Name>()
      for (let tries = 1; ; tries++) {
        const texts: Parameters<typeof write>[0][number][] = []
        for (const { name, change } of parts) {
          const over = await documents.read(name)
          const { before, text } = await change(over)
          if (before !== seen.get(name)) others.add(name)
          if (!over.ok || over.text !== text) texts.push({ name, text, over })
        }
        if (texts.length === 0 || (await write(texts, by, reason))) break
        if (tries === MAX_TRIES) {
          const place = documents.placeOf(parts[0].name)
          throw new HubError('HUB_BUSY', say`${place} is changed by others all the time`, { retryAfterMs: 1_000 })
        }
      }
      await loadAfterChange(by, reason, others)
    })
  }

  /** What we wrote is seen already, so what is another than before, others changed, and the watch will find nothing new in it. */
  async function loadAfterChange(
    by: string | null,
    reason: Words | null,
    others: Set<Name> = new Set(),
  ): Promise<void> {
    for (const name of await load(by, reason)) others.add(name)
    if (others.size > 0) told?.(others)
  }

  /** Never rejects: what is in force stays in force while the documents cannot be reached; the watch tells of them again. */
  function look(): Promise<void> {
    // Not beside a change of our own, which would be taken for somebody else's.
    const work = queue.then(() => load())
    queue = work.catch(() => undefined)
    return work.then(
      (changed) => {
        if (changed.size > 0) told?.(changed)
      },
      () => undefined,
    )
  }

  function alone(work: () => Promise<void>): Promise<void> {
    const done = queue.then(work)
    queue = done.catch(() => undefined)
    return done
  }

  /** False when another hub was quicker. */
  async function write(
    texts: readonly { name: Name; text: string; over: ReadDocument }[],
    by: string | null,
    reason: Words | null,
  ): Promise<boolean> {
    const before = new Map(seen)
    // Before it is written: the watcher may be quicker, and would take it for somebody else's change.
    for (const { name, text } of texts) seen.set(name, text)
    const changes = texts.map(({ name, text, over }): NewText => ({ document: name, text, over }))
    const done = await documents.write(changes, by, reason).catch((error: unknown) => {
      restoreSeen(before)
      throw error
    })
    if (!done) restoreSeen(before)
    return done
  }

  function restoreSeen(before: ReadonlyMap<Name, string>): void {
    seen.clear()
    for (const [name, text] of before) seen.set(name, text)
  }

  async function replaceAll(texts: ConfigTexts, { by = null, reason = null, ifMatch }: Change): Promise<void> {
    const parsers = { servers: parseServers, system: parseSystem, profiles: parseProfiles }
    for (const name of NAMES) checkText(await parsers[name](texts[name], documents.placeOf(name)))
    for (let tries = 1; ; tries++) {
      const found = await Promise.all(NAMES.map(async (name) => ({ name, over: await documents.read(name) })))
      if (ifMatch !== undefined)
        checkIfMatch(ifMatch, textsOf(found.map(({ name, over }) => [name, over.ok ? over.text : null])))
      // What is broken by hand is replaced, too: that may be why somebody goes back.
      const changed = found
        .map(({ name, over }) => ({ name, over, text: texts[name] }))
        .filter(({ name, over, text }) => !over.ok || (over.text ?? emptyTexts[name]) !== text)
      if (await write(changed, by, reason)) break
      if (tries === MAX_TRIES)
        throw new HubError('HUB_BUSY', say`The configuration is changed by others all the time`, {
          retryAfterMs: 1_000,
        })
    }
    await loadAfterChange(by, reason)
  }

  const store: ConfigStore = {
    onVersion: null,
    onSystem: null,
    get texts() {
      return inForce
    },
    get servers() {
      return servers
    },
    get system() {
      return system
    },
    get systemAsWritten() {
      return systemAsWritten
    },
    get profiles() {
      return profiles
    },
    get faults() {
      return [...serverFaults, ...systemFaults, ...profileFaults]
    },
    saveServer: (name, config, change = {}) => {
      const { rename = name } = change
      const entry = part('servers', parseServers, async (text, { mcpServers }) => {
        const present = ownEntry(mcpServers, name)
        checkIfMatch(change.ifMatch, present)
        const next = typeof config === 'function' ? config(present) : config
        return (await editor()).withEntry(text, ['mcpServers'], name, next, rename)
      })
      const profilesOfIt = part('profiles', parseProfiles, async (text, { profiles: present }) =>
        (await editor()).withServerRenamed(text, Object.keys(present), name, rename),
      )
      return edit(rename === name ? [entry] : [entry, profilesOfIt], change)
    },
    saveProfile: (name, config, change = {}) => {
      const entry = part('profiles', parseProfiles, async (text, { profiles: present }) => {
        checkIfMatch(change.ifMatch, ownEntry(present, name))
        return (await editor()).withEntry(text, ['profiles'], name, config, change.rename)
      })
      return edit([entry], change)
    },
    saveSystem: (path, value, change = {}) => {
      const setting = part('system', parseSystem, async (text) => {
        const { valueIn, withValue } = await editor()
        const present = valueIn(text, path)
        checkIfMatch(change.ifMatch, present)
        return withValue(text, path, value(present))
      })
      return edit([setting], change)
    },
    replace: (texts, change = {}) => alone(() => replaceAll(texts, change)),
    reload: look,
    watch: (onChange) => {
      told = onChange
      watcher = documents.watch(NAMES, () => void look())
      // What changed since the files were read at the start would else be missed.
      void look()
    },
    dispose: async () => {
      watcher?.close()
      await queue
    },
  }
  await load()
  return store
}

function checkText(parsed: Parsed<unknown>): void {
  if (!parsed.ok)
    throw new HubError(
      'HUB_INVALID_CONFIG',
      parsed.faults[0] === undefined ? say`The configuration is not valid` : wordsFrom(parsed.faults[0], 'message'),
      {
        faults: parsed.faults,
      },
    )
}

/** In the order that their ETag was made in. */
function textsOf(found: readonly (readonly [Name, string | null])[]): ConfigTexts {
  const texts = new Map(found)
  const textOf = (name: Name): string => texts.get(name) ?? emptyTexts[name]
  return { servers: textOf('servers'), system: textOf('system'), profiles: textOf('profiles') }
}

const ownEntry = <T>(entries: Readonly<Record<string, T>>, name: string): T | null =>
  Object.hasOwn(entries, name) ? (entries[name] ?? null) : null

function keepSame<T>(old: Record<string, T>, fresh: Record<string, T>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(fresh).map(([name, value]) => {
      const known = old[name]
      return [name, known !== undefined && isDeepStrictEqual(known, value) ? known : value]
    }),
  )
}
