import type { Overview, Reason } from '../hub/contract/index.ts'

export interface SignInNotice {
  server: string
  /** Why, where the server's state tells. */
  reason: Reason | null
}

/**
 * Which servers began to need a person since the last overview. Each is told once, and again only after somebody signed in;
 * a hub that is being started anew tells nothing meanwhile.
 */
export function createSignInNotices(): (overview: Overview) => SignInNotice[] {
  let told = new Set<string>()
  return ({ signIns, servers }) => {
    const fresh = signIns.filter((name) => !told.has(name))
    told = new Set(signIns)
    return fresh.map((name) => ({
      server: name,
      reason: servers.find((server) => server.name === name)?.reason ?? null,
    }))
  }
}
