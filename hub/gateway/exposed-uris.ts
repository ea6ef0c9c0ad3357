import type { Item } from '../upstream/catalog.ts'
import { Reply, isObject, type Params } from './json-rpc.ts'

/** How a URI of one server is called on the endpoint. */
export type ExposeUri = (uri: string) => string

/** The key of a URI; in a string its quotes would be escaped. */
const URI_KEY = '"uri"'

/** The answer of a server with its URIs as the client knows them. Only where there is one it is looked into. */
export function exposeUris(reply: Reply, expose: ExposeUri): Reply {
  if (reply.isError || reply.bytes?.includes(URI_KEY) === false) return reply
  const { result } = reply.message
  if (!isObject(result)) return reply
  const { content, contents, messages } = result
  return Reply.result({
    ...result,
    ...(Array.isArray(content) ? { content: content.map((part) => block(part, expose)) } : {}),
    ...(Array.isArray(contents) ? { contents: contents.map((part) => named(part, expose)) } : {}),
    ...(Array.isArray(messages) ? { messages: messages.map((message) => inMessage(message, expose)) } : {}),
  })
}

function inMessage(message: unknown, expose: ExposeUri): unknown {
  if (!isObject(message)) return message
  const { content } = message
  return {
    ...message,
    content: Array.isArray(content) ? content.map((part) => block(part, expose)) : block(content, expose),
  }
}

/** A part of the content of a tool's result or a prompt's message. */
function block(part: unknown, expose: ExposeUri): unknown {
  if (!isObject(part)) return part
  if (part['type'] === 'resource_link') return named(part, expose)
  return part['type'] === 'resource' ? { ...part, resource: named(part['resource'], expose) } : part
}

function named(value: unknown, expose: ExposeUri): unknown {
  return isObject(value) && typeof value['uri'] === 'string' ? { ...value, uri: expose(value['uri']) } : value
}

/** Where a tool names the resource of its user interface besides `ui.resourceUri` (MCP Apps): older forms of the same. */
const UI_URIS = ['ui/resourceUri', 'openai/outputTemplate']

/** The URIs of a tool's user interface. */
export function uiUris(tool: Item): string[] {
  const meta = tool['_meta']
  if (!isObject(meta)) return []
  const { ui } = meta
  return [isObject(ui) ? ui['resourceUri'] : undefined, ...UI_URIS.map((key) => meta[key])].filter(
    (uri) => typeof uri === 'string',
  )
}

export function withUiUris(tool: Item, expose: ExposeUri): Item {
  if (uiUris(tool).every((uri) => expose(uri) === uri)) return tool
  const meta: Params = { ...(tool['_meta'] as Params) }
  const { ui } = meta
  if (isObject(ui) && typeof ui['resourceUri'] === 'string')
    meta['ui'] = { ...ui, resourceUri: expose(ui['resourceUri']) }
  for (const key of UI_URIS) if (typeof meta[key] === 'string') meta[key] = expose(meta[key])
  return { ...tool, _meta: meta }
}
