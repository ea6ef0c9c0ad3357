import { splitSecrets } from '../config/secret-patterns.ts'
import type { Params, Reply } from '../gateway/json-rpc.ts'

export interface PayloadOptions {
  mode: 'off' | 'redacted' | 'full'
  maxBytes: number
  /** Replaces the secrets that the hub knows. */
  redact: (text: string) => string
}

/** A payload this many times larger than what is kept is not worth the parsing. */
const REDACTED_AT_MOST = 4

/** What is kept of a request and its answer, as JSON text. */
export function capturePayloads(
  params: Params | undefined,
  reply: Reply | null,
  options: PayloadOptions,
): { request: string | null; response: string | null } {
  return {
    request: params === undefined ? null : cut(textOf(params, options), options.maxBytes),
    response: reply === null ? null : responseOf(reply, options),
  }
}

function responseOf(reply: Reply, options: PayloadOptions): string {
  const { bytes } = reply
  if (bytes !== null && options.mode === 'full' && bytes.length > options.maxBytes)
    return `${bytes.toString('utf8', 0, options.maxBytes)}${leftOut(bytes.length - options.maxBytes)}`
  if (bytes !== null && options.mode === 'redacted' && bytes.length > options.maxBytes * REDACTED_AT_MOST)
    return leftOut(bytes.length).trim()
  const { result, error } = reply.message
  return cut(textOf(error === undefined ? result : { error }, options), options.maxBytes)
}

function textOf(value: unknown, { mode, redact }: PayloadOptions): string {
  return mode === 'full' ? JSON.stringify(value) : redact(redactedJson(value))
}

/** JSON without what looks like a secret, by its name or by its form. */
export function redactedJson(value: unknown): string {
  return JSON.stringify(value, (key, entry: unknown) =>
    typeof entry === 'string'
      ? splitSecrets(key, entry)
          .map(({ text, secret }) => (secret ? '[redacted]' : text))
          .join('')
      : entry,
  )
}

function cut(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, max)}${leftOut(text.length - max)}`
}

function leftOut(count: number): string {
  return ` … ${count} more`
}
