import type { Upstream } from '../upstream/upstream.ts'

/** A tool or prompt of a server. */
export interface Named {
  upstream: Upstream
  /** As the server knows it. */
  name: string
}

/**
 * The tools of servers that have user interfaces (MCP Apps). The page of such an interface was written for its server alone:
 * it calls that server's tools by their own names, also on an endpoint where they have others.
 */
export interface AppTools {
  add: (tool: Named) => void
  /** The only tool of that name; undefined where there are several, because a page does not say whose it is. */
  find: (name: string) => Named | undefined
}

export function createAppTools(): AppTools {
  const tools = new Map<string, Named | null>()
  return {
    add: (tool) => tools.set(tool.name, tools.has(tool.name) ? null : tool),
    find: (name) => tools.get(name) ?? undefined,
  }
}
