import type { Catalog, Item } from './catalog.ts'
import type { Upstream } from './upstream.ts'

/** A tool as a connection was shown it: the plain one first, which has most of them. */
export function knownTool(
  upstream: Pick<Upstream, 'catalogs'>,
  name: unknown,
): { tool: Item; catalog: Catalog } | null {
  for (const catalog of upstream.catalogs) {
    const tool = catalog.lists.tools.find((candidate) => candidate['name'] === name)
    if (tool !== undefined) return { tool, catalog }
  }
  return null
}
