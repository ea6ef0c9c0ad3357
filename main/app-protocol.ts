import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import type { Privileges, Session } from 'electron'
import { APP_HOST, APP_SCHEME, resolveAsset } from './app-url.ts'
import { NONCE_PLACEHOLDER, contentSecurityPolicy } from '../hub/contract/csp.ts'

export const schemePrivileges: Privileges = {
  standard: true,
  secure: true,
  supportFetchAPI: true,
  codeCache: true,
  stream: true,
}

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.map': 'application/json',
}
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'host',
  'origin',
  'content-length',
]

export interface AppProtocolOptions {
  /** Folder of the built page. */
  root: string
  /** URL of Vite's server in development; null for the built page. */
  devServer: string | null
  /** Where the hub's API is, as soon as one that is starting has started; null while it is down. */
  hubApi: () => Promise<{ port: number; token: string } | null>
}

/** Serves the page and passes `/api` on to the hub, so that the page has one origin and never sees a token. */
export function handleAppProtocol(session: Session, options: AppProtocolOptions): void {
  session.protocol.handle(APP_SCHEME, async (request) => {
    const url = new URL(request.url)
    if (url.host !== APP_HOST) return new Response('Not found', { status: 404 })
    if (url.pathname === '/api' || url.pathname.startsWith('/api/')) return toHub(request, url, await options.hubApi())
    return options.devServer === null
      ? serveFile(options.root, url.pathname)
      : fromDevServer(request, url, options.devServer)
  })
}

async function serveFile(root: string, pathname: string): Promise<Response> {
  const file = resolveAsset(root, pathname)
  if (file === null) return new Response('Bad path', { status: 400 })
  const body = await readFile(file).catch(() => null)
  if (body === null) return new Response('Not found', { status: 404 })
  const type = TYPES[path.extname(file)] ?? 'application/octet-stream'
  return type.startsWith('text/html')
    ? page(body.toString(), false)
    : new Response(new Uint8Array(body), { headers: { 'content-type': type, 'x-content-type-options': 'nosniff' } })
}

function page(html: string, dev: boolean): Response {
  const nonce = randomBytes(16).toString('base64')
  return new Response(html.replaceAll(NONCE_PLACEHOLDER, nonce), {
    headers: {
      'content-type': TYPES['.html'] ?? 'text/html',
      'content-security-policy': contentSecurityPolicy(nonce, { dev }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}

async function fromDevServer(request: Request, url: URL, devServer: string): Promise<Response> {
  const answer = await fetch(new URL(url.pathname + url.search, devServer), {
    headers: { accept: request.headers.get('accept') ?? '*/*' },
  })
  const isPage = answer.headers.get('content-type')?.startsWith('text/html') === true
  return isPage
    ? page(await answer.text(), true)
    : new Response(answer.body, {
        status: answer.status,
        headers: { 'content-type': answer.headers.get('content-type') ?? 'text/plain' },
      })
}

async function toHub(request: Request, url: URL, api: { port: number; token: string } | null): Promise<Response> {
  if (api === null)
    return problem('The hub is not running at the moment', 'It is being started again; its state is shown above.')
  const headers = new Headers(request.headers)
  for (const name of HOP_BY_HOP) headers.delete(name)
  headers.set('authorization', `Bearer ${api.token}`)
  try {
    // Node's fetch, not Electron's: with that one the hub never learns that the page closed a stream.
    const answer = await fetch(`http://127.0.0.1:${api.port}${url.pathname}${url.search}`, {
      method: request.method,
      headers,
      body: request.body,
      signal: request.signal,
      ...(request.body === null ? {} : { duplex: 'half' as const }),
    })
    return new Response(answer.body, { status: answer.status, headers: answer.headers })
  } catch (error) {
    return problem(
      'The hub did not answer',
      `It is being started again. ${error instanceof Error ? error.message : ''}`,
    )
  }
}

function problem(detail: string, cure: string): Response {
  const body = {
    type: 'https://mcphub.dev/errors/HUB_SHUTTING_DOWN',
    title: 'HUB_SHUTTING_DOWN',
    status: 503,
    code: 'HUB_SHUTTING_DOWN',
    detail,
    cure,
  }
  return new Response(JSON.stringify(body), { status: 503, headers: { 'content-type': 'application/problem+json' } })
}
