const PREFIX = 'mcp-hub.try.'
/** The store of a tab takes about five million characters in all. */
const MAX_LENGTH = 200_000

const keyOf = (server: string, tool: string): string => `${PREFIX}${JSON.stringify([server, tool])}`

/** What was typed for a tool, as JSON text: it survives a reload, and ends with the tab or the sign-out. */
export function readDraft(server: string, tool: string): string | null {
  try {
    return sessionStorage.getItem(keyOf(server, tool))
  } catch {
    return null
  }
}

/** Null forgets it. */
export function writeDraft(server: string, tool: string, text: string | null): void {
  try {
    if (text === null || text.length > MAX_LENGTH) sessionStorage.removeItem(keyOf(server, tool))
    else sessionStorage.setItem(keyOf(server, tool), text)
  } catch {
    // A full or forbidden store costs the convenience, nothing else.
  }
}

export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key)
}
