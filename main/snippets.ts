import { serverPrefix } from '../hub/contract/index.ts'
import type { snippetKinds } from '../preload/contract.ts'

export type SnippetKind = (typeof snippetKinds)[number]

/** What a person pastes into a client to connect it, token included; a command line is for the shell of `platform`. */
export function clientSnippet(
  kind: SnippetKind,
  endpoint: string,
  token: string,
  server?: string,
  platform: NodeJS.Platform = process.platform,
): string {
  const url = server === undefined ? endpoint : `${endpoint}/${encodeURIComponent(server)}`
  const name = server === undefined ? 'mcp-hub' : `mcp-hub-${server}`
  const headers = { Authorization: `Bearer ${token}` }
  switch (kind) {
    case 'url':
      return url
    case 'token':
      return token
    case 'claude-code': {
      // It takes no name with another character than these, and a server here may have any in its name.
      const plain = server === undefined ? name : `mcp-hub-${serverPrefix(server)}`
      const words = [plain, url, '--header', `Authorization: Bearer ${token}`]
      return `claude mcp add --transport http ${words.map((word) => quote(word, platform)).join(' ')}`
    }
    case 'vscode':
      return JSON.stringify({ servers: { [name]: { type: 'http', url, headers } } }, null, 2)
    case 'cursor':
      return JSON.stringify({ mcpServers: { [name]: { url, headers } } }, null, 2)
    case 'json':
      return JSON.stringify({ mcpServers: { [name]: { type: 'http', url, headers } } }, null, 2)
  }
}

function quote(text: string, platform: NodeJS.Platform): string {
  if (/^[\w@%+=:,./-]+$/.test(text)) return text
  // cmd.exe knows no other quotes, and PowerShell knows these. No URL and no token has one in it.
  return platform === 'win32' ? `"${text}"` : `'${text.replaceAll("'", `'\\''`)}'`
}
