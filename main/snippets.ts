import type { snippetKinds } from '../preload/contract.ts'

export type SnippetKind = (typeof snippetKinds)[number]

/** What a person pastes into a client to connect it, token included. */
export function clientSnippet(kind: SnippetKind, endpoint: string, token: string, server?: string): string {
  const url = server === undefined ? endpoint : `${endpoint}/${encodeURIComponent(server)}`
  const name = server === undefined ? 'mcp-hub' : `mcp-hub-${server}`
  const headers = { Authorization: `Bearer ${token}` }
  switch (kind) {
    case 'url':
      return url
    case 'token':
      return token
    case 'claude-code':
      return `claude mcp add --transport http ${quote(name)} ${quote(url)} --header ${quote(`Authorization: Bearer ${token}`)}`
    case 'vscode':
      return JSON.stringify({ servers: { [name]: { type: 'http', url, headers } } }, null, 2)
    case 'cursor':
      return JSON.stringify({ mcpServers: { [name]: { url, headers } } }, null, 2)
    case 'json':
      return JSON.stringify({ mcpServers: { [name]: { type: 'http', url, headers } } }, null, 2)
  }
}

function quote(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
