const PREFIX = 'mcp-hub.try.'
/** The store of a tab takes about five million characters in all. */
const MAX_LENGTH = 200_000

const keyOf = (...subject: string[]): string => PREFIX + JSON.stringify(subject)

/** What was typed for a method, a server and a name there, as JSON text: it survives a reload, and ends with the tab or the sign-out. */
export function readDraft(method: string, server: string, name: string): string | null {
  try {
    return sessionStorage.getItem(keyOf(method, server, name))
  } catch {
    return null
  }
}

/** Null forgets it. */
export function writeDraft(method: string, server: string, name: string, text: string | null): void {
  try {
    if (text === null || text.length > MAX_LENGTH) sessionStorage.removeItem(keyOf(method, server, name))
    else sessionStorage.setItem(keyOf(method, server, name), text)
  } catch {
    // A full or forbidden store costs the convenience, nothing else.
  }
}

export function forgetDrafts(): void {
  for (const key of Object.keys(sessionStorage)) if (key.startsWith(PREFIX)) sessionStorage.removeItem(key)
}
