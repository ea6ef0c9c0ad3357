import type { ToolEntry } from '../../../hub/contract/index.ts'
import { pretty, type JsonObject } from '../../lib/json.ts'

const VERSION = '2026-07-28'
/** For a POSIX shell: nothing within is special but the quote itself. */
const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`
/** A header takes ASCII; the rest goes as the specification's base64 form (Streamable HTTP, "Value Encoding"). */
function headerValue(text: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith('=?base64?')) return text
  return `=?base64?${btoa(String.fromCharCode(...new TextEncoder().encode(text)))}?=`
}

/** The call as one request, of the stateless era, so that it needs no session. The token is left to the shell. */
export function asCurl(endpoint: string, tool: Pick<ToolEntry, 'name'>, args: JsonObject): string {
  const body = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: {
      name: tool.name,
      arguments: args,
      _meta: {
        'io.modelcontextprotocol/protocolVersion': VERSION,
        'io.modelcontextprotocol/clientInfo': { name: 'curl', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
      },
    },
  }
  return [
    `curl --silent --show-error ${quoted(endpoint)}`,
    `  --header "Authorization: Bearer $MCP_HUB_TOKEN"`,
    `  --header 'Content-Type: application/json'`,
    `  --header 'Accept: application/json, text/event-stream'`,
    `  --header 'MCP-Protocol-Version: ${VERSION}'`,
    `  --header 'Mcp-Method: tools/call'`,
    `  --header ${quoted(`Mcp-Name: ${headerValue(tool.name)}`)}`,
    `  --data ${quoted(pretty(body))}`,
  ].join(' \\\n')
}

/** The call with the official SDK. */
export function asTypeScript(endpoint: string, tool: Pick<ToolEntry, 'name'>, args: JsonObject): string {
  return `import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

const client = new Client({ name: 'example', version: '1.0.0' })
await client.connect(
  new StreamableHTTPClientTransport(new URL(${JSON.stringify(endpoint)}), {
    requestInit: { headers: { authorization: \`Bearer \${process.env.MCP_HUB_TOKEN}\` } },
  }),
)
const result = await client.callTool(${pretty({ name: tool.name, arguments: args })})
console.log(JSON.stringify(result, null, 2))
await client.close()
`
}
