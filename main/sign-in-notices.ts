import type { Overview, Reason } from '../hub/contract/index.ts'

export interface SignInNotice {
  server: string
  /** Why, where the server's state tells. */
  reason: Reason | null
}

/**
 * Which servers began to need a person since the last overview. Each is told once, and again only after it ran. A hub that
 * is being started anew does not know its servers yet, and then not their accounts: that it names one no more tells nothing.
 */
export function createSignInNotices(): (overview: Pick<Overview, 'signIns' | 'servers'>) => SignInNotice[] {
  const told = new Set<string>()
  return ({ signIns, servers }) => {
    const fresh = signIns.filter((name) => !told.has(name))
    for (const { name, state } of servers) if (state === 'running' || state === 'degraded') told.delete(name)
    for (const name of signIns) told.add(name)
    return fresh.map((name) => ({
      server: name,
      reason: servers.find((server) => server.name === name)?.reason ?? null,
    }))
  }
}
