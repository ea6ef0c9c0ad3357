import { inexactNumber, isObject, type JsonObject } from '../../../lib/json.ts'

export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'image' | 'audio'; readonly type: string; readonly data: string; readonly playable: boolean }
  | { readonly kind: 'link'; readonly uri: string; readonly name: string; readonly description: string }
  | {
      readonly kind: 'resource'
      readonly uri: string
      readonly type: string
      readonly text: string | null
      readonly data: string | null
    }
  /** Of a prompt: what it says, and in whose name. */
  | { readonly kind: 'message'; readonly role: string; readonly content: Block }
  | { readonly kind: 'unknown'; readonly type: string; readonly value: unknown }

export interface ReadResult {
  readonly isError: boolean
  readonly blocks: readonly Block[]
  /** Undefined when there is none. */
  readonly structured: unknown
}

/** The result of a tool, a prompt or a resource as a page shows it. What is not as the specification has it is shown as what it is. */
export function readResult(result: unknown): ReadResult {
  if (!isObject(result)) return { isError: false, blocks: [unknown(result)], structured: undefined }
  const list = (name: string): unknown[] => (Array.isArray(result[name]) ? (result[name] as unknown[]) : [])
  return {
    isError: result['isError'] === true,
    blocks: [
      ...list('content').map(readBlock),
      ...list('messages').map(readMessage),
      ...list('contents').map((it) => (isObject(it) ? resource(it) : unknown(it))),
    ],
    structured: result['structuredContent'],
  }
}

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const unknown = (value: unknown): Block => ({
  kind: 'unknown',
  type: isObject(value) ? text(value['type']) : typeof value,
  value,
})

function readMessage(message: unknown): Block {
  if (!isObject(message)) return unknown(message)
  return { kind: 'message', role: text(message['role']), content: readBlock(message['content']) }
}

export function readBlock(block: unknown): Block {
  if (!isObject(block)) return unknown(block)
  switch (block['type']) {
    case 'text':
      return typeof block['text'] === 'string' ? { kind: 'text', text: block['text'] } : unknown(block)
    case 'image':
    case 'audio':
      return media(block['type'], block)
    case 'resource_link':
      if (typeof block['uri'] !== 'string') return unknown(block)
      return {
        kind: 'link',
        uri: block['uri'],
        name: text(block['title']) || text(block['name']) || block['uri'],
        description: text(block['description']),
      }
    case 'resource':
      return isObject(block['resource']) ? resource(block['resource']) : unknown(block)
    default:
      return unknown(block)
  }
}

/** What a browser shows as a picture or plays without running any of it: an SVG in `<img>` has no scripts. */
const PLAYABLE = {
  image: /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)$/,
  audio: /^audio\/(mpeg|mp3|mp4|aac|ogg|opus|wav|wave|x-wav|webm|flac|x-flac)$/,
}

function media(kind: 'image' | 'audio', block: JsonObject): Block {
  const type = text(block['mimeType']).toLowerCase().split(';')[0]?.trim() ?? ''
  const data = text(block['data']).replaceAll(/\s+/g, '')
  return { kind, type, data, playable: PLAYABLE[kind].test(type) && isBase64(data) }
}

function resource(value: JsonObject): Block {
  return {
    kind: 'resource',
    uri: text(value['uri']),
    type: text(value['mimeType']),
    text: typeof value['text'] === 'string' ? value['text'] : null,
    data: typeof value['blob'] === 'string' && isBase64(value['blob']) ? value['blob'] : null,
  }
}

const isBase64 = (data: string): boolean => data !== '' && /^[A-Za-z0-9+/]+={0,2}$/.test(data)

/** An object or a list in a text; undefined when it is none, or when reading it would change its numbers. */
export function jsonIn(source: string): unknown {
  if (!/^\s*[[{]/.test(source)) return undefined
  try {
    const value: unknown = JSON.parse(source)
    return inexactNumber(source) === null ? value : undefined
  } catch {
    return undefined
  }
}

/** Only an address that a browser may open; anything else stays a text. */
export function webAddress(uri: string): string | null {
  return URL.canParse(uri) && /^https?:$/.test(new URL(uri).protocol) ? uri : null
}
