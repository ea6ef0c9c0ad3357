import type { ToolOwners } from '../catalog/warnings.ts'
import { exposedName } from '../gateway/names.ts'
import type { Upstream } from '../upstream/upstream.ts'

/** Which servers have a tool of a name, its own or the one on `/mcp`. */
export function toolOwners(upstreams: Iterable<Pick<Upstream, 'name' | 'prefix' | 'catalogs'>>): ToolOwners {
  const owners = new Map<string, Set<string>>()
  function add(tool: string, server: string): void {
    const servers = owners.get(tool)
    if (servers === undefined) owners.set(tool, new Set([server]))
    else servers.add(server)
  }
  for (const { name, prefix, catalogs } of upstreams)
    for (const { lists } of catalogs)
      for (const tool of lists.tools) {
        add(String(tool['name']), name)
        add(exposedName(prefix, String(tool['name'])), name)
      }
  return owners
}
