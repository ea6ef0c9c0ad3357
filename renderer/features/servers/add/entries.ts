import type { ServerConfig } from '../../../../hub/contract/index.ts'
import { api } from '../../../lib/api.ts'
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { configFaults, nameFault } from '../config-faults.ts'

/** A server that is about to be added. */
export interface Entry {
  readonly id: number
  name: string
  config: JsonObject
  /** What was written as JSON last cannot be read: `config` is of before. */
  unreadable: boolean
  /** Paths of texts that look like secrets and stay in the file all the same. */
  inClear: string[]
  include: boolean
  /** Why the hub refused it, when it was tried. */
  error: unknown
}

let nextId = 1

export function makeEntry(name: string, config: unknown): Entry {
  return {
    id: nextId++,
    name,
    config: isObject(config) ? config : {},
    unreadable: false,
    inClear: [],
    include: true,
    error: null,
  }
}

export type EntryFault = { kind: 'name'; message: string } | { kind: 'taken' } | { kind: 'double' } | { kind: 'config' }

/** What keeps an entry from being added; null when nothing does. */
export function entryFault(entry: Entry, chosen: readonly Entry[], existing: ReadonlySet<string>): EntryFault | null {
  const message = nameFault(entry.name)
  if (message !== null) return { kind: 'name', message }
  if (existing.has(entry.name)) return { kind: 'taken' }
  if (chosen.some((other) => other.id !== entry.id && other.name === entry.name)) return { kind: 'double' }
  return entry.unreadable || Object.keys(configFaults(entry.config)).length > 0 ? { kind: 'config' } : null
}

/** Adds one after the other and keeps going; the names of those that were added. */
export async function addEntries(entries: readonly Entry[]): Promise<string[]> {
  const added: string[] = []
  for (const entry of entries) {
    try {
      const { name, config, inClear } = entry
      await api.addServer({ name, config: config as unknown as ServerConfig, inClear })
      added.push(entry.name)
    } catch (error) {
      entry.error = error
    }
  }
  return added
}
