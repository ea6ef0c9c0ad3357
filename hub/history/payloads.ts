import { splitSecrets } from '../config/secret-patterns.ts'
import type { Params, Reply } from '../gateway/json-rpc.ts'
import type { Redactor } from '../observe/redactor.ts'

export interface PayloadOptions {
  mode: 'off' | 'redacted' | 'full'
  maxBytes: number
  redactor: Redactor
}

/** A payload this many times larger than what is kept is not worth the parsing. */
const PARSED_AT_MOST = 4

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
  const { mode, maxBytes, redactor } = options
  if (bytes !== null && bytes.length > maxBytes * PARSED_AT_MOST) {
    // What is not parsed cannot be searched by names.
    if (mode === 'redacted') return leftOut(bytes.length).trim()
    const head = redactor.head(bytes.toString('utf8', 0, maxBytes * PARSED_AT_MOST), maxBytes)
    return `${head}${leftOut(bytes.length - maxBytes)}`
  }
  const { result, error } = reply.message
  return cut(textOf(error === undefined ? result : { error }, options), maxBytes)
}

/** What the vault holds is in no file in the clear, whatever the mode. */
function textOf(value: unknown, { mode, redactor }: PayloadOptions): string {
  try {
    return mode === 'full' ? redactor.json(value) : redactor.text(redactedJson(value))
  } catch (error) {
    // What a server nested too deep to be written is its own affair.
    return JSON.stringify(`This could not be kept: ${error instanceof Error ? error.message : String(error)}`)
  }
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
