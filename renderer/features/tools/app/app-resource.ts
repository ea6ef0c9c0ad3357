import { APP_MIME_TYPE, sortAppDomains, type AppDomains } from '../../../../hub/contract/app-frame.ts'
import { isObject, type JsonObject } from '../../../lib/json.ts'
import { MAX_HTML_BYTES } from './app-limits.ts'

/** What is known of an app before it runs. */
export interface AppResource {
  readonly html: string
  /** Where it may reach, and what of its declaration it does not get. */
  readonly domains: { readonly allowed: AppDomains; readonly refused: readonly string[] }
  /** Camera and the like: asked for, and never given. */
  readonly permissions: readonly string[]
  readonly border: boolean
}

/** Why there is no app to show, with what the words need. */
export type AppFault =
  | { readonly kind: 'address' | 'missing' | 'unreadable' }
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'large'; readonly bytes: number }

/** An app out of the result of `resources/read`. */
export function readApp(result: unknown, uri: string, ownHost: string): AppResource | AppFault {
  const contents = isObject(result) && Array.isArray(result['contents']) ? (result['contents'] as unknown[]) : []
  const content = contents.filter(isObject).find((entry) => entry['uri'] === uri)
  if (content === undefined) return { kind: 'missing' }
  const type = typeof content['mimeType'] === 'string' ? content['mimeType'] : ''
  if (type.toLowerCase().replaceAll(/\s/g, '') !== APP_MIME_TYPE) return { kind: 'type', type }
  const html = htmlOf(content)
  if (html === null) return { kind: 'unreadable' }
  if (html.length > MAX_HTML_BYTES) return { kind: 'large', bytes: html.length }
  const meta = isObject(content['_meta']) && isObject(content['_meta']['ui']) ? content['_meta']['ui'] : {}
  return {
    html,
    domains: sortAppDomains(meta['csp'], ownHost),
    permissions: isObject(meta['permissions']) ? Object.keys(meta['permissions']).slice(0, 20) : [],
    border: meta['prefersBorder'] !== false,
  }
}

export const isApp = (read: AppResource | AppFault): read is AppResource => 'html' in read

function htmlOf({ text, blob }: JsonObject): string | null {
  if (typeof text === 'string') return text
  if (typeof blob !== 'string') return null
  try {
    const bytes = Uint8Array.from(atob(blob), (char) => char.charCodeAt(0))
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
