import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from '../config/atomic-file.ts'
import type { Pin, Pinning, PinState } from '../contract/index.ts'
import type { Item } from '../upstream/catalog.ts'
import { definitionHash, definitionOf } from './definition.ts'
import type { PinRecord, PinRecords } from './parse-pins.ts'
import { isReadOnly } from './shape.ts'

const SAVE_DELAY_MS = 500

/** The definitions of tools as they were approved, kept in `DATA_DIR/pins.json`. */
export interface Pins {
  /** Grows with every change that may alter what is shown. */
  readonly revision: number
  /** Looks at what a server offers now: tools seen for the first time are approved where the policy says so. */
  observe: (server: string, tools: readonly Item[]) => void
  state: (server: string, tool: Item) => PinState
  /** Whether a tool may be shown and called. */
  admits: (server: string, tool: Item) => boolean
  pin: (server: string, tool: Item) => Pin
  approve: (server: string, tool: Item, by: string) => void
  quarantine: (server: string, tool: Item, by: string) => void
  /** Forgets a server that left the configuration. */
  forget: (server: string) => void
  /** Writes what is not written yet. */
  flush: () => Promise<void>
}

export interface PinsOptions {
  file: string
  policy: () => Pinning
  now?: () => number
  onError: (error: unknown) => void
}

/** Throws HubError HUB_CONFIG_FILE_BROKEN when the file is there and not readable: approvals must not be lost silently. */
export async function openPins(options: PinsOptions): Promise<Pins> {
  const servers = await load(options.file)
  const now = options.now ?? Date.now
  let revision = 0
  let timer: NodeJS.Timeout | null = null
  let writing: Promise<void> = Promise.resolve()

  const find = (server: string, tool: Item): PinRecord | undefined => servers.get(server)?.get(String(tool['name']))

  function put(server: string, tool: Item, by: string, quarantined: boolean): void {
    let tools = servers.get(server)
    if (tools === undefined) servers.set(server, (tools = new Map<string, PinRecord>()))
    tools.set(String(tool['name']), {
      hash: definitionHash(tool),
      definition: definitionOf(tool),
      at: now(),
      by,
      ...(quarantined ? { quarantined } : {}),
    })
    changed()
  }

  function changed(): void {
    revision++
    timer ??= setTimeout(() => void write(), SAVE_DELAY_MS).unref()
  }

  function write(): Promise<void> {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const content = {
      version: 1,
      servers: Object.fromEntries([...servers].map(([name, tools]) => [name, Object.fromEntries(tools)])),
    }
    writing = writing.then(() => writeFileAtomic(options.file, `${JSON.stringify(content)}\n`)).catch(options.onError)
    return writing
  }

  function state(server: string, tool: Item): PinState {
    const record = find(server, tool)
    if (record === undefined) return 'new'
    if (record.quarantined === true) return 'quarantined'
    if (record.hash === definitionHash(tool)) return 'approved'
    return options.policy().onChange === 'hold' ? 'held' : 'changed'
  }

  return {
    get revision() {
      return revision
    },
    observe: (server, tools) => {
      const { onFirstSight = 'approve' } = options.policy()
      if (onFirstSight === 'hold') return
      for (const tool of tools)
        if (find(server, tool) === undefined && (onFirstSight === 'approve' || isReadOnly(tool)))
          put(server, tool, 'policy', false)
    },
    state,
    admits: (server, tool) => {
      const now = state(server, tool)
      return now === 'approved' || now === 'changed'
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
    approve: (server, tool, by) => put(server, tool, by, false),
    quarantine: (server, tool, by) => put(server, tool, by, true),
    forget: (server) => {
      if (servers.delete(server)) changed()
    },
    flush: () => (timer === null ? writing : write()),
  }
}

async function load(file: string): Promise<PinRecords> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    throw error
  }
  return (await import('./parse-pins.ts')).parsePins(text, file)
}
