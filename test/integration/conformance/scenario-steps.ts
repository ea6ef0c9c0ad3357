import type { Peer } from './sdk-clients.ts'

interface ToolCall {
  name: string
  arguments: Record<string, unknown>
}

const steps: Record<string, (peer: Peer, context: Record<string, unknown>) => Promise<void>> = {
  initialize: async (peer) => {
    await peer.listTools()
  },
  tools_call: async (peer) => {
    await peer.listTools()
    await peer.callTool('add_numbers', { a: 5, b: 3 })
  },
  'http-standard-headers': async (peer) => {
    for (const { name } of await peer.listTools()) await peer.callTool(name, {})
    for (const uri of await peer.listResources()) await peer.readResource(uri)
    for (const name of await peer.listPrompts()) await peer.getPrompt(name)
  },
  'http-custom-headers': async (peer, context) => {
    await peer.listTools()
    for (const call of context.toolCalls as ToolCall[]) await peer.callTool(call.name, call.arguments)
  },
  'http-invalid-tool-headers': async (peer) => {
    for (const { name } of await peer.listTools()) await peer.callTool(name, { region: 'us-west1' })
  },
  'json-schema-2020-12-preservation': async (peer) => {
    const tools = await peer.listTools()
    const { inputSchema } = tools.find(({ name }) => name === 'json_schema_2020_12_tool')!
    await peer.callTool('json_schema_echo', { schema: inputSchema })
  },
  // Twice: the scenario turns the first request away, whichever it is.
  'request-metadata': async (peer) => {
    await peer.listTools()
    await peer.listTools()
  },
  'json-schema-ref-no-deref': async (peer) => {
    await peer.listTools()
  },
}

/** What a client does in a scenario; by default it calls every tool there is. */
export async function exercise(scenario: string, peer: Peer, context: Record<string, unknown>): Promise<void> {
  const step = steps[scenario]
  if (step) await step(peer, context)
  else for (const { name } of await peer.listTools()) await peer.callTool(name, {})
}
