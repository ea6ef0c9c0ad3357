import type { RemoteServerConfig, ServerConfig } from './config.ts'

/** What is told of a server's entry without a schema. */

/** Longest server name; a tool's name on an aggregated endpoint is `<prefix>__<tool>` and must stay under 64 characters. */
export const MAX_SERVER_NAME = 64

/**
 * The part of an aggregated tool name that stands for a server: only characters that every client accepts in a tool's
 * name, without the separator `__` inside. Letters beyond ASCII become their code point, so that two Chinese names stay apart.
 */
export function serverPrefix(name: string): string {
  return Array.from(name)
    .map((char) =>
      /[A-Za-z0-9-]/.test(char) ? char : /\p{L}/u.test(char) ? `u${(char.codePointAt(0) ?? 0).toString(16)}` : '_',
    )
    .join('')
    .replace(/_+/g, '_')
    .replace(/^_|_$/g, '')
}

export function isRemote(config: ServerConfig): config is RemoteServerConfig {
  return 'url' in config
}

export type Transport = 'stdio' | 'http' | 'sse'
export function transportOf(config: ServerConfig): Transport {
  if (!isRemote(config)) return 'stdio'
  return config.type === 'sse' ? 'sse' : 'http'
}

export function isEnabled(config: ServerConfig): boolean {
  return config.hub?.enabled ?? config.enabled ?? !(config.disabled ?? false)
}

export function isHttpUrl(value: string): boolean {
  // A reference such as ${env:HOST} is resolved before the connection is made, and checked again there.
  try {
    const { protocol } = new URL(value.replace(/\$\{[^}]*\}/g, 'x'))
    return protocol === 'http:' || protocol === 'https:'
  } catch {
    return false
  }
}

/** An absolute path of either kind of system, or a `file:` URI, on one line. */
export function isRoot(value: string): boolean {
  if (/\p{Cc}/u.test(value)) return false
  if (/^file:/i.test(value)) return isFileUri(value)
  return /^(?:\/|\\\\|[A-Za-z]:[\\/])/.test(value)
}

function isFileUri(value: string): boolean {
  try {
    return /^file:\/\/[^?#]*$/i.test(value) && decodeURIComponent(new URL(value).pathname) !== ''
  } catch {
    return false
  }
}

/** No password in clear; a reference in its place is none, and publish puts one there. */
export function hasNoCredentials(value: string): boolean {
  const url = URL.parse(value.replace(/\$\{[^}]*\}/g, ''))
  return url === null || url.password === ''
}
