interface ModuleImports {
  readonly isEntry: boolean
  readonly importers: readonly string[]
  readonly importedIds: readonly string[]
}
interface Graph {
  getModuleInfo: (id: string) => ModuleImports | null
}

/**
 * Schemas, and what they are made with, are taken out of a start where it does not use them; in one chunk with the start
 * they would be there for the sake of what is loaded later.
 */
const CONTRACT = /[\\/]contract[\\/]/
const ZOD = /[\\/]node_modules[\\/]zod[\\/]/

/**
 * Puts what a hub loads at its start into one chunk: each file costs time and memory of its own, and dozens of them make
 * Node's handling of paths so hot that it is compiled, which alone maps six megabytes. What the password threads need stays
 * apart, for each of them must not load a hub.
 *
 * @returns the name of a module's chunk, or null for one of the bundler's choice; to be a group's `name`.
 */
export function startChunk(hub: RegExp, thread: RegExp): (id: string, graph: Graph) => string | null {
  const known = new Map<string, ReadonlySet<string>>()

  /** The entries that come to a module by static imports. */
  function entriesOf(id: string, graph: Graph): ReadonlySet<string> {
    const found = new Set<string>()
    const seen = new Set([id])
    for (const current of seen) {
      const ready = known.get(current)
      if (ready !== undefined) {
        for (const entry of ready) found.add(entry)
        continue
      }
      const info = graph.getModuleInfo(current)
      if (info?.isEntry === true) found.add(current)
      for (const importer of info?.importers ?? []) seen.add(importer)
    }
    known.set(id, found)
    return found
  }

  /** Outside of the contract an import of a schema may be one of a type, or of what stands beside it. */
  function isSchema(id: string, graph: Graph): boolean {
    if (!CONTRACT.test(id)) return ZOD.test(id)
    const seen = new Set([id])
    for (const current of seen) {
      if (ZOD.test(current)) return true
      for (const imported of graph.getModuleInfo(current)?.importedIds ?? []) seen.add(imported)
    }
    return false
  }

  return (id, graph) => {
    // An entry runs where it is loaded.
    if (graph.getModuleInfo(id)?.isEntry === true) return null
    const entries = [...entriesOf(id, graph)]
    const isOfStart = entries.some((entry) => hub.test(entry)) && !entries.some((entry) => thread.test(entry))
    return isOfStart && !isSchema(id, graph) ? 'start' : null
  }
}
