import { pathToFileURL } from 'node:url'

/** A folder as a server is told of it (MCP, "Roots"). */
export interface Root {
  uri: string
  name: string
}

/** The roots of an entry, which has them as paths or as URIs. */
export function rootsOf(entries: readonly string[] = []): Root[] {
  return entries.map((entry) => {
    const url = /^file:/i.test(entry) ? new URL(entry) : pathToFileURL(entry, { windows: !entry.startsWith('/') })
    const last = url.pathname.split('/').findLast((segment) => segment !== '')
    return { uri: url.href, name: decodeURIComponent(last ?? '/') }
  })
}
