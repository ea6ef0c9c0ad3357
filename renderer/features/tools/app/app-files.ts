import { ProtocolError } from '@modelcontextprotocol/client'
import { bytesOf, fileName } from '../../../lib/files.ts'
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { INVALID_PARAMS, MAX_FILES } from './app-limits.ts'

export type FileContent = string | Uint8Array<ArrayBuffer>

/** A file that an app wants to have saved. */
export interface AppFile {
  readonly name: string
  readonly type: string
  readonly uri: string
  /** Null for a resource, which the app's own server is asked for once the person agrees. */
  readonly content: FileContent | null
  readonly bytes: number | null
}

const MAX_NAME = 100

/** The files of `ui/download-file`: contents that are in it, and links to resources. Throws what the app is told. */
export function filesOf(contents: readonly unknown[]): AppFile[] {
  if (contents.length === 0) throw refusal('There is no file in it')
  if (contents.length > MAX_FILES) throw refusal(`At most ${MAX_FILES} files are saved at once`)
  return contents.map((entry) => {
    if (isObject(entry) && entry['type'] === 'resource' && isObject(entry['resource']))
      return embedded(entry['resource'])
    if (isObject(entry) && entry['type'] === 'resource_link') return linked(entry)
    throw refusal('A file is a resource or a resource_link')
  })
}

/** What the server answered when it was asked for the resource of a link. */
export function contentOf(result: { contents: readonly unknown[] }, uri: string): FileContent {
  const [first] = result.contents
  const content = isObject(first) ? embedded(first).content : null
  if (content === null) throw refusal(`The server has no content for ${uri}`)
  return content
}

function embedded(resource: JsonObject): AppFile {
  const uri = textOf(resource['uri'])
  const content = bodyOf(resource, uri)
  const path = uri.split(/[?#]/, 1)[0] ?? ''
  return {
    name: safeName(path.slice(path.lastIndexOf('/') + 1)),
    type: typeOf(resource),
    uri,
    content,
    bytes: new Blob([content]).size,
  }
}

function linked(link: JsonObject): AppFile {
  const { size } = link
  return {
    name: safeName(textOf(link['name'])),
    type: typeOf(link),
    uri: textOf(link['uri']),
    content: null,
    bytes: typeof size === 'number' ? size : null,
  }
}

function bodyOf({ text, blob }: JsonObject, uri: string): FileContent {
  if (typeof text === 'string') return text
  if (typeof blob !== 'string') throw refusal(`${uri} has neither text nor a blob`)
  try {
    return bytesOf(blob)
  } catch {
    throw refusal(`The blob of ${uri} is no Base64`)
  }
}

/** One that every file system takes, is not hidden there, and keeps what it ends in. */
const safeName = (name: string): string =>
  fileName(name)
    .replace(/^[.-]+/, '')
    .slice(-MAX_NAME) || 'download'
const typeOf = ({ mimeType }: JsonObject): string => textOf(mimeType) || 'application/octet-stream'
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const refusal = (message: string): ProtocolError => new ProtocolError(INVALID_PARAMS, message)
