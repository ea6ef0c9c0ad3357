import type { Item } from '../upstream/catalog.ts'

/** The tools of tool-search mode. They never change, so that a client that reads its list once is never out of date. */
export const metaTools: readonly Item[] = [
  {
    name: 'search_tools',
    title: 'Search tools',
    description:
      'Finds tools by what you want to do, in plain words (for example "create an issue in a repository"). Returns names and summaries, best first. Use it before call_tool whenever you do not know a tool’s exact name.',
    inputSchema: {
      type: 'object',
      properties: {
        query: { type: 'string', description: 'What you want to do, in plain words' },
        limit: { type: 'integer', minimum: 1, maximum: 50, default: 10, description: 'How many tools to return' },
      },
      required: ['query'],
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'describe_tool',
    title: 'Describe a tool',
    description: 'Returns a tool’s full definition with the JSON Schema of its arguments.',
    inputSchema: {
      type: 'object',
      properties: { name: { type: 'string', description: 'The name that search_tools returned' } },
      required: ['name'],
    },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
  {
    name: 'call_tool',
    title: 'Call a tool',
    description: 'Calls a tool by the name that search_tools returned, with arguments as describe_tool shows them.',
    inputSchema: {
      type: 'object',
      properties: {
        name: { type: 'string', description: 'The name that search_tools returned' },
        arguments: { type: 'object', description: 'The tool’s arguments', additionalProperties: true },
      },
      required: ['name'],
    },
  },
  {
    name: 'hub_status',
    title: 'Status of the hub',
    description: 'Tells which servers are running and, of those that are not, why and what to do about it.',
    inputSchema: { type: 'object', properties: {} },
    annotations: { readOnlyHint: true, openWorldHint: false },
  },
]

const SUMMARY_LENGTH = 240

/** What `search_tools` tells of a tool: enough to choose by. */
export function summaryOf(tool: Item): { name: string; summary: string } {
  const { description, title } = tool
  const text = typeof description === 'string' ? description : typeof title === 'string' ? title : ''
  const [paragraph = ''] = text.split('\n\n')
  const line = paragraph.replace(/\s+/g, ' ').trim()
  return {
    name: String(tool['name']),
    summary: line.length > SUMMARY_LENGTH ? `${line.slice(0, SUMMARY_LENGTH - 1)}…` : line,
  }
}
