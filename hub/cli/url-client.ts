import { CommandError, exitCodes, UsageError, type CommandOption, type Io, type Values } from './command.ts'

/** Which hub is asked, where it is named. */
export const urlOptions = {
  url: { type: 'string', value: 'URL', help: 'ask this hub' },
  token: { type: 'string', value: 'TOKEN', help: 'for the hub; rather set MCP_HUB_TOKEN, which nobody else can see' },
} as const satisfies Record<string, CommandOption>

const PATIENCE_MS = 10_000

export interface UrlAnswer {
  status: number
  /** Null where it was no JSON. */
  body: unknown
}

export function urlOf(value: string): URL {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol)) throw new UsageError('--url: an http: or https: URL is needed.')
  return url
}

/** A key for a hub: `--token`, else MCP_HUB_TOKEN; null without either. */
export function tokenOf(values: Values, io: Io): string | null {
  const token = values['token'] ?? io.env['MCP_HUB_TOKEN']
  return typeof token === 'string' && token !== '' ? token : null
}

/** Asks a hub `GET /path` or `POST /path`. A hub that cannot be reached is a CommandError (69); a refusal is an answer. */
export async function askUrl(base: URL, token: string | null, route: string, io: Io): Promise<UrlAnswer> {
  const [method = 'GET', path = '/'] = route.split(' ')
  const response = await fetch(new URL(path, base), {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
    },
    ...(method === 'POST' ? { body: '{}' } : {}),
    // What is only looked up is there at once, or the hub hangs; a doctor takes the time that a server takes.
    signal: method === 'GET' ? AbortSignal.any([io.signal, AbortSignal.timeout(PATIENCE_MS)]) : io.signal,
  }).catch((error: unknown) => {
    io.signal.throwIfAborted()
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
    const { code = '', message } = cause as NodeJS.ErrnoException
    throw new CommandError(
      // Of several addresses that all refuse, only the code tells.
      `${base.origin} cannot be reached: ${message === '' ? code : message}`,
      'Start the hub, or correct --url.',
      exitCodes.unavailable,
    )
  })
  const body: unknown = await response.json().catch(() => null)
  return { status: response.status, body }
}
