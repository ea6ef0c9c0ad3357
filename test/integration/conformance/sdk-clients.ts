import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'

/** What the scenarios ask of a client, whichever SDK it is made with. */
export interface Peer {
  listTools(): Promise<{ name: string; inputSchema: unknown }[]>
  callTool(name: string, args: Record<string, unknown>): Promise<unknown>
  listResources(): Promise<string[]>
  readResource(uri: string): Promise<unknown>
  listPrompts(): Promise<string[]>
  getPrompt(name: string): Promise<unknown>
  close(): Promise<void>
}

const identity = { name: 'scenario-client', version: '1.0.0' }
const capabilities = { elicitation: { form: {} } }

/** A real client of the legacy era: the v1 SDK. */
export async function connectLegacy(url: string, token?: string): Promise<Peer> {
  const client = new LegacyClient(identity, { capabilities })
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => accept(params))
  // The SDK's own transport does not satisfy its interface under exactOptionalPropertyTypes.
  await client.connect(new LegacyTransport(new URL(url), options(token)))
  return peerOf(client)
}

/** A real client of the modern era: the v2 SDK, which does not fall back to the legacy one. */
export async function connectModern(url: string, token?: string): Promise<Peer> {
  const client = new ModernClient(identity, { capabilities, versionNegotiation: { mode: { pin: '2026-07-28' } } })
  client.setRequestHandler('elicitation/create', ({ params }) => accept(params))
  await client.connect(new ModernTransport(new URL(url), options(token)))
  return peerOf(client)
}

const options = (token: string | undefined): { requestInit?: RequestInit } =>
  token === undefined ? {} : { requestInit: { headers: { authorization: `Bearer ${token}` } } }

/** Fills a form in with its defaults, and agrees to whatever has none. */
function accept(params: object): { action: 'accept'; content: Record<string, string | number | boolean> } {
  const { requestedSchema } = params as { requestedSchema?: { properties?: Record<string, { default?: string }> } }
  const fields = Object.entries(requestedSchema?.properties ?? {})
  return { action: 'accept', content: Object.fromEntries(fields.map(([key, field]) => [key, field.default ?? true])) }
}

/** Both SDKs name these methods alike; only their types differ. */
function peerOf(client: LegacyClient | ModernClient): Peer {
  const legacy = client as LegacyClient
  return {
    listTools: async () => (await legacy.listTools()).tools,
    callTool: (name, args) => legacy.callTool({ name, arguments: args }),
    listResources: async () => (await legacy.listResources()).resources.map(({ uri }) => uri),
    readResource: (uri) => legacy.readResource({ uri }),
    listPrompts: async () => (await legacy.listPrompts()).prompts.map(({ name }) => name),
    getPrompt: (name) => legacy.getPrompt({ name }),
    close: () => client.close(),
  }
}
