import type { Notes } from '../cluster/cluster.ts'

/** So many owners are kept; tasks older than those are nobody's any more. */
const MAX_OWNERS = 10_000
/** What is kept beyond them is looked for at the first task, and after so many further ones. */
const PRUNE_EVERY = 1_000

/** Whose the tasks of servers are. It is kept with the sessions of users, so that it outlasts the hub and its fellows know it. */
export interface TaskOwners {
  /** As far as it was heard or recalled. */
  of: (server: string, taskId: string) => string | undefined
  note: (server: string, taskId: string, principal: string) => void
  /** Looks up what is not known here; null when there is nothing to look up. */
  recall: (server: string, taskId: string) => Promise<void> | null
  recallAll: () => Promise<void>
}

export function createTaskOwners(open: () => Promise<Notes>, warn: (text: string) => void): TaskOwners {
  const owners = new Map<string, string>()
  let unwritten = new Map<string, string>()
  let untilPruned = 0

  const keyOf = (server: string, taskId: string): string => JSON.stringify([server, taskId])
  const ownerIn = (note: string): string => note.slice(note.indexOf(' ') + 1)

  function remember(key: string, principal: string): void {
    owners.delete(key)
    owners.set(key, principal)
    if (owners.size > MAX_OWNERS) for (const oldest of owners.keys()) if (owners.delete(oldest)) break
  }

  async function write(): Promise<void> {
    const entries = unwritten
    unwritten = new Map()
    try {
      const notes = await open()
      await notes.put(entries)
      untilPruned -= entries.size
      if (untilPruned <= 0) await prune(notes)
    } catch (error) {
      warn(`The owner of a task could not be kept: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async function prune(notes: Notes): Promise<void> {
    untilPruned = PRUNE_EVERY
    const known = [...(await notes.read())].sort(([, a], [, b]) => parseInt(b) - parseInt(a))
    for (const [key] of known.slice(MAX_OWNERS)) await notes.delete(key)
  }

  return {
    of: (server, taskId) => owners.get(keyOf(server, taskId)),
    note: (server, taskId, principal) => {
      const key = keyOf(server, taskId)
      const isNew = owners.get(key) !== principal
      remember(key, principal)
      if (!isNew) return
      // After the answer is on its way.
      if (unwritten.size === 0) setImmediate(() => void write())
      unwritten.set(key, `${Date.now()} ${principal}`)
    },
    recall: (server, taskId) => {
      const key = keyOf(server, taskId)
      if (owners.has(key)) return null
      return open()
        .then((notes) => notes.get(key))
        .then((note) => {
          if (note !== null) remember(key, ownerIn(note))
        })
    },
    recallAll: async () => {
      const notes = await (await open()).read()
      for (const [key, note] of notes) if (!owners.has(key)) remember(key, ownerIn(note))
    },
  }
}
