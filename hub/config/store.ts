import { basename, join } from 'node:path'
import { isDeepStrictEqual } from '../deep-equal.ts'
import { applyEdits, modify, parse as parseJson } from 'jsonc-parser'
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
import type { Sources } from './interpolate.ts'
import { readConfigText } from './read-file.ts'
import { replaceEditedFile, sweepTemporaries } from './atomic-file.ts'
import { checkIfMatch } from './entity-tag.ts'
import { parseJsonc, type Parsed } from './jsonc.ts'
import { plainServers } from './plain-servers.ts'
import { watchFiles } from './watch-files.ts'

/** What a change is made under. */
export interface Change {
  /** The entry's new name; it stays in its place. */
  rename?: string | undefined
  /** Who makes it; null is somebody who edits the files. */
  by?: string | null
  reason?: string | null
  /** The ETag of the entry as it was read: it must still be that one. */
  ifMatch?: string | undefined
}

export interface ConfigStore {
  readonly dir: string
  readonly servers: ServersFile
  /** With the values of its references. */
  readonly system: SystemFile
  /** As it is written, for what goes elsewhere: a bundle, diagnostics. */
  readonly systemAsWritten: SystemFile
  readonly profiles: ProfilesFile
  /** The files as they are in force, comments and all. */
  readonly texts: ConfigTexts
  /** Faults of the files as they are on disk; while there are any, the last good configuration is in force. */
  readonly faults: Fault[]
  /** Adds, replaces or (with null) removes an entry. */
  saveServer: (name: string, config: ServerConfig | null, change?: Change) => Promise<void>
  /** Adds, replaces or (with null) removes a profile. */
  saveProfile: (name: string, config: Profile | null, change?: Change) => Promise<void>
  saveSystem: (path: string[], value: unknown, change?: Change) => Promise<void>
  /** Puts other texts in the files' places: all of them, or none. */
  replace: (texts: ConfigTexts, change?: Change) => Promise<void>
  /** Told of each configuration that comes into force after the first one. */
  onVersion: ((texts: ConfigTexts, by: string | null, reason: string | null) => void) | null
  watch: (onChange: () => void) => void
  dispose: () => Promise<void>
}

const EMPTY_SERVERS = '{\n  "mcpServers": {}\n}\n'
const EMPTY_SYSTEM = '{}\n'
const EMPTY_PROFILES = '{\n  "profiles": {}\n}\n'
/** The schemas are loaded for a file that needs them: to build them is the dearest part of a start. */
type Parse<T> = (text: string, file: string) => Promise<Parsed<T>>

const parseServers: Parse<ServersFile> = async (text, file) => {
  const document = parseJsonc(text, file)
  const plain = document.ok ? plainServers(document.value.value) : null
  return plain === null ? (await import('./parse-servers.ts')).parseServersFile(text, file) : { ok: true, value: plain }
}

const parseProfiles: Parse<ProfilesFile> = async (text, file) =>
  (await import('./parse-profiles.ts')).parseProfilesFile(text, file)

const formatting = { formattingOptions: { tabSize: 2, insertSpaces: true, eol: '\n' } }

/** Reads CONFIG_DIR. `sources` give the values of references in system.json. Files that are not there are empty configurations; broken ones are told by `faults`. */
export async function openConfigStore(dir: string, sources?: Sources): Promise<ConfigStore> {
  const parseSystem: Parse<SystemFile> = async (content, file) =>
    (await import('./parse-system.ts')).parseSystemFile(content, file, sources)
  const files = {
    servers: join(dir, 'servers.json'),
    system: join(dir, 'system.json'),
    profiles: join(dir, 'profiles.json'),
  }
  let servers: ServersFile = { mcpServers: {} }
  let system: SystemFile = {}
  let systemAsWritten: SystemFile = {}
  let profiles: ProfilesFile = { profiles: {} }
  let serverFaults: Fault[] = []
  let systemFaults: Fault[] = []
  let profileFaults: Fault[] = []
  /** Last text seen of each file: what we wrote ourselves is no change. */
  const seen = new Map<string, string>()
  let watcher: { close: () => void } | null = null
  let queue: Promise<unknown> = Promise.resolve()
  let inForce: ConfigTexts = { servers: EMPTY_SERVERS, system: EMPTY_SYSTEM, profiles: EMPTY_PROFILES }

  async function text(file: string, fallback: string): Promise<string> {
    const read = await readConfigText(file)
    if (read.ok) return read.text ?? fallback
    throw new HubError('HUB_CONFIG_FILE_BROKEN', `${file} cannot be used: ${read.fault.message}`, {
      faults: [read.fault],
      cure: read.fault.cure,
    })
  }

  async function read<T>(
    file: string,
    fallback: { text: string; value: T },
    parse: Parse<T>,
  ): Promise<{ changed: boolean; parsed: Parsed<T> }> {
    const found = await readConfigText(file)
    // What cannot be read has no text to compare: it is told each time.
    if (!found.ok) return { changed: seen.delete(file), parsed: { ok: false, faults: [found.fault] } }
    const content = found.text ?? fallback.text
    const changed = seen.get(file) !== content
    seen.set(file, content)
    return { changed, parsed: found.text === null ? { ok: true, value: fallback.value } : await parse(content, file) }
  }

  /** Reads all three; answers whether one of them is another than before. */
  async function load(by: string | null = null, reason: string | null = null): Promise<boolean> {
    const [first, second, third] = await Promise.all([
      read(files.servers, { text: EMPTY_SERVERS, value: { mcpServers: {} } }, parseServers),
      read(files.system, { text: EMPTY_SYSTEM, value: {} }, parseSystem),
      read(files.profiles, { text: EMPTY_PROFILES, value: { profiles: {} } }, parseProfiles),
    ])
    if (first.parsed.ok) {
      servers = first.parsed.value
      serverFaults = []
    } else serverFaults = first.parsed.faults
    if (second.parsed.ok) {
      system = second.parsed.value
      const written = parseJsonc(seen.get(files.system) ?? EMPTY_SYSTEM, null)
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
        servers: seen.get(files.servers) ?? EMPTY_SERVERS,
        system: seen.get(files.system) ?? EMPTY_SYSTEM,
        profiles: seen.get(files.profiles) ?? EMPTY_PROFILES,
      }
      store.onVersion?.(inForce, by, reason)
    }
    return first.changed || second.changed || third.changed
  }

  /** One change at a time, each on the newest text, so that no edit is lost and comments stay. */
  function edit<T>(
    { file, fallback, parse }: FileKind<T>,
    change: (text: string, current: T) => string,
    { by = null, reason = null }: Change,
  ): Promise<void> {
    return alone(async () => {
      const before = await text(file, fallback)
      const current = await parse(before, file)
      if (!current.ok) {
        throw new HubError('HUB_CONFIG_FILE_BROKEN', `${file} is broken, so nothing is written into it`, {
          faults: current.faults,
          cure: 'Correct the file first.',
        })
      }
      const after = change(before, current.value)
      checkText(await parse(after, file))
      await write(file, before, after)
      await load(by, reason)
    })
  }

  function alone(work: () => Promise<void>): Promise<void> {
    const done = queue.then(work)
    queue = done.catch(() => undefined)
    return done
  }

  async function write(file: string, before: string, after: string): Promise<void> {
    // Before it is written: the watcher may be quicker, and would take it for somebody else's change.
    seen.set(file, after)
    await replaceEditedFile(file, after).catch((error: unknown) => {
      seen.set(file, before)
      const { code, message } = error as NodeJS.ErrnoException
      throw new HubError('HUB_CONFIG_NOT_SAVED', `${file} could not be saved: ${message}`, {
        cure:
          code === 'ENOSPC'
            ? 'Free some space on that disk and save again; the file is as it was.'
            : 'Let the hub’s user write the file and its folder; the file is as it was.',
      })
    })
  }

  async function replaceAll(texts: ConfigTexts, { by = null, reason = null }: Change): Promise<void> {
    const all = [
      { ...kinds.servers, after: texts.servers },
      { ...kinds.system, after: texts.system },
      { ...kinds.profiles, after: texts.profiles },
    ]
    for (const { parse, after, file } of all) checkText(await parse(after, file))
    const written: { file: string; before: string }[] = []
    try {
      for (const { file, fallback, after } of all) {
        // What is broken by hand is replaced, too: that may be why somebody goes back.
        const found = await readConfigText(file)
        const before = found.ok ? (found.text ?? fallback) : fallback
        if (found.ok && before === after) continue
        await write(file, before, after)
        written.push({ file, before })
      }
    } catch (error) {
      for (const { file, before } of written.reverse()) await write(file, '', before).catch(() => undefined)
      throw error
    }
    await load(by, reason)
  }

  const kinds = {
    servers: { file: files.servers, fallback: EMPTY_SERVERS, parse: parseServers },
    system: { file: files.system, fallback: EMPTY_SYSTEM, parse: parseSystem },
    profiles: { file: files.profiles, fallback: EMPTY_PROFILES, parse: parseProfiles },
  }

  const store: ConfigStore = {
    dir,
    onVersion: null,
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
    saveServer: (name, config, change = {}) =>
      edit(
        kinds.servers,
        (before, { mcpServers }) => {
          checkIfMatch(change.ifMatch, ownEntry(mcpServers, name))
          return withEntry(before, 'mcpServers', name, config, change.rename)
        },
        change,
      ),
    saveProfile: (name, config, change = {}) =>
      edit(
        kinds.profiles,
        (before, { profiles: present }) => {
          checkIfMatch(change.ifMatch, ownEntry(present, name))
          return withEntry(before, 'profiles', name, config, change.rename)
        },
        change,
      ),
    saveSystem: (path, value, change = {}) =>
      edit(kinds.system, (before) => applyEdits(before, modify(before, path, value, formatting)), change),
    replace: (texts, change = {}) => alone(() => replaceAll(texts, change)),
    watch: (onChange) => {
      const look = (): void => {
        // Not beside a change of our own, which would be taken for somebody else's.
        const work = queue.then(() => load())
        queue = work.catch(() => undefined)
        void work.then((changed) => {
          if (changed) onChange()
        })
      }
      watcher = watchFiles(
        dir,
        Object.values(files).map((file) => basename(file)),
        look,
      )
      // What changed since the files were read at the start would else be missed.
      look()
    },
    dispose: async () => {
      watcher?.close()
      await queue
    },
  }
  await sweepTemporaries(dir)
  await load()
  return store
}

interface FileKind<T> {
  file: string
  /** What stands for a file that is not there. */
  fallback: string
  parse: Parse<T>
}

function checkText(parsed: Parsed<unknown>): void {
  if (!parsed.ok)
    throw new HubError('HUB_INVALID_CONFIG', parsed.faults[0]?.message ?? 'The configuration is not valid', {
      faults: parsed.faults,
    })
}

const ownEntry = (entries: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(entries, name) ? entries[name] : null

/** The text of a file with one entry of a map added, replaced or removed, or moved to another name in the same place. */
function withEntry(before: string, key: string, name: string, value: unknown, rename: string | undefined): string {
  if (rename === undefined || rename === name || value === null)
    return applyEdits(before, modify(before, [key, name], value ?? undefined, formatting))
  const entries = (parseJson(before) as Record<string, Record<string, unknown>>)[key] ?? {}
  const index = Object.keys(entries).indexOf(name)
  const removed = applyEdits(before, modify(before, [key, name], undefined, formatting))
  return applyEdits(
    removed,
    modify(removed, [key, rename], value, { ...formatting, getInsertionIndex: () => Math.max(index, 0) }),
  )
}

function keepSame<T>(old: Record<string, T>, fresh: Record<string, T>): Record<string, T> {
  return Object.fromEntries(
    Object.entries(fresh).map(([name, value]) => {
      const known = old[name]
      return [name, known !== undefined && isDeepStrictEqual(known, value) ? known : value]
    }),
  )
}
