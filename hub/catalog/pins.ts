import type { KeptText } from '../config/kept-text.ts'
import type { Pin, Pinning, PinState } from '../contract/index.ts'
import type { Item } from '../upstream/catalog.ts'
import { definitionHash, definitionOf, instructionsItem } from './definition.ts'
import type { PinRecord, PinRecords } from './parse-pins.ts'
import { isReadOnly } from './shape.ts'

const SAVE_DELAY_MS = 500
/** After a change that could not be saved. */
const RETRY_MS = 5_000

/** The definitions of tools, and the instructions of servers (`instructionsItem`), as they were approved: in `DATA_DIR/pins.json`, or with other hubs in PostgreSQL. */
export interface Pins {
  /** Grows with every change that may alter what is shown. */
  readonly revision: number
  /** Looks at what a server offers now: tools seen for the first time are approved where the policy says so. */
  observe: (server: string, tools: readonly Item[]) => void
  state: (server: string, tool: Item) => PinState
  /** Whether a tool may be shown and called. */
  admits: (server: string, tool: Item) => boolean
  /** What of a server's instructions models may be told: nothing while they are held back. This is to see them, too. */
  instructions: (server: string, text: string | null) => string | null
  pin: (server: string, tool: Item) => Omit<Pin, 'warnings'>
  /** `at` is the time of the decision, by which it can be taken back: now, or one for all that are decided together. */
  approve: (server: string, tool: Item, by: string, at?: number) => void
  quarantine: (server: string, tool: Item, by: string, at?: number) => void
  /** Puts back what held before a person's decision of that time; false where another has been made since, or there was none. */
  takeBack: (server: string, tool: Item, at: number) => boolean
  /** A server has another name: what was decided of its tools holds under that one. */
  move: (from: string, to: string) => void
  /** Forgets a server that left the configuration. */
  forget: (server: string) => void
  /** Takes over what other hubs approve. */
  watch: () => void
  /** Writes what is not written yet, and is the last that is done. */
  flush: () => Promise<void>
}

/** What is not written yet; done again on what others wrote meanwhile. */
type Change = (servers: PinRecords) => void

export interface PinsOptions {
  text: KeptText
  /** Where it is, for messages. */
  place: string
  policy: () => Pinning
  now?: () => number
  onError: (error: unknown) => void
  /** Another hub approved or quarantined something. */
  onChange?: () => void
}

/** Throws HubError HUB_CONFIG_FILE_BROKEN when the file is there and not readable: approvals must not be lost silently. */
export async function openPins(options: PinsOptions): Promise<Pins> {
  const { text, place } = options
  const parse = async (found: string | null): Promise<PinRecords> =>
    found === null || found === '' ? new Map() : (await import('./parse-pins.ts')).parsePins(found, place)
  let servers = await parse(await text.read())
  const now = options.now ?? Date.now
  let revision = 0
  let timer: NodeJS.Timeout | null = null
  let unwritten: Change[] = []
  let working: Promise<void> = Promise.resolve()
  let watcher: { close: () => void } | null = null

  const find = (server: string, tool: Item): PinRecord | undefined => servers.get(server)?.get(String(tool['name']))

  function put(server: string, tool: Item, by: string, quarantined: boolean, at = now()): void {
    const name = String(tool['name'])
    const record: PinRecord = {
      hash: definitionHash(tool),
      definition: definitionOf(tool),
      at,
      by,
      ...(quarantined ? { quarantined } : {}),
    }
    changed((all) => {
      let tools = all.get(server)
      if (tools === undefined) all.set(server, (tools = new Map<string, PinRecord>()))
      const before = tools.get(name)
      // The policy speaks where nobody has, at no hub.
      if (by !== POLICY) tools.set(name, { ...record, previous: before === undefined ? null : decisionOf(before) })
      else if (before === undefined) tools.set(name, record)
    })
  }

  function takeBack(server: string, tool: Item, at: number): boolean {
    const name = String(tool['name'])
    const isIt = (record: PinRecord | undefined): boolean => record?.at === at && record.previous !== undefined
    if (!isIt(find(server, tool))) return false
    changed((all) => {
      const tools = all.get(server)
      const record = tools?.get(name)
      if (tools === undefined || record?.previous === undefined || !isIt(record)) return
      if (record.previous === null) tools.delete(name)
      else tools.set(name, record.previous)
    })
    return true
  }

  function changed(change: Change): void {
    change(servers)
    unwritten.push(change)
    revision++
    timer ??= setTimeout(() => void write(), SAVE_DELAY_MS).unref()
  }

  function write(): Promise<void> {
    if (timer !== null) clearTimeout(timer)
    timer = null
    working = working.then(save).catch((error: unknown) => {
      options.onError(error)
      timer ??= setTimeout(() => void write(), RETRY_MS).unref()
    })
    return working
  }

  async function save(): Promise<void> {
    // A copy: what changes while it is written is written next.
    const changes = [...unwritten]
    if (changes.length === 0) return
    let written = servers
    await text.change(async (found) => {
      written = await parse(found)
      for (const change of changes) change(written)
      return textOf(written)
    })
    unwritten = unwritten.slice(changes.length)
    take(written)
  }

  /** What others wrote comes into force, with what is not written here yet. */
  function take(next: PinRecords): void {
    for (const change of unwritten) change(next)
    servers = next
    revision++
  }

  function reload(): void {
    working = working
      .then(async () => {
        const next = await parse(await text.read())
        const before = textOf(servers)
        take(next)
        if (textOf(servers) !== before) options.onChange?.()
      })
      .catch(options.onError)
  }

  function state(server: string, tool: Item): PinState {
    const record = find(server, tool)
    if (record === undefined) return 'new'
    if (record.quarantined === true) return 'quarantined'
    if (record.hash === definitionHash(tool)) return 'approved'
    return options.policy().onChange === 'hold' ? 'held' : 'changed'
  }

  function observe(server: string, tools: readonly Item[]): void {
    const { onFirstSight = 'approve' } = options.policy()
    if (onFirstSight === 'hold') return
    for (const tool of tools)
      if (find(server, tool) === undefined && (onFirstSight === 'approve' || isReadOnly(tool)))
        put(server, tool, POLICY, false)
  }

  function admits(server: string, tool: Item): boolean {
    const now = state(server, tool)
    return now === 'approved' || now === 'changed'
  }

  return {
    get revision() {
      return revision
    },
    observe,
    state,
    admits,
    instructions: (server, text) => {
      if (text === null) return null
      const item = instructionsItem(text)
      observe(server, [item])
      return admits(server, item) ? text : null
    },
    pin: (server, tool) => {
      const record = find(server, tool)
      return {
        server,
        tool: String(tool['name']),
        state: state(server, tool),
        approvedAt: record?.at ?? null,
        approvedBy: record?.by ?? null,
        approved: record?.definition ?? null,
        current: definitionOf(tool),
        hash: definitionHash(tool),
      }
    },
    approve: (server, tool, by, at) => put(server, tool, by, false, at),
    quarantine: (server, tool, by, at) => put(server, tool, by, true, at),
    takeBack,
    move: (from, to) => {
      if (!servers.has(from)) return
      changed((all) => {
        const tools = all.get(from)
        if (tools === undefined) return
        all.delete(from)
        all.set(to, tools)
      })
    },
    forget: (server) => {
      if (servers.has(server)) changed((all) => all.delete(server))
    },
    watch: () => {
      watcher = text.watch(reload)
    },
    flush: async () => {
      watcher?.close()
      await (timer === null ? working : write())
      // A try that failed is not made again.
      if (timer !== null) clearTimeout(timer)
    },
  }
}

const POLICY = 'policy'

function decisionOf({ previous: _previous, ...decision }: PinRecord): PinRecord {
  return decision
}

function textOf(servers: PinRecords): string {
  const content = {
    version: 1,
    servers: Object.fromEntries([...servers].map(([name, tools]) => [name, Object.fromEntries(tools)])),
  }
  return `${JSON.stringify(content)}\n`
}
