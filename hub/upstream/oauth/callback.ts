import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Accounts, CallbackResult } from './accounts.ts'
import { CALLBACK_PATH, CLIENT_METADATA_PATH, clientMetadataDocument, ownMetadataUrl } from './client.ts'

/** Ties a sign-in to the browser that began it. */
export const SIGN_IN_COOKIE = 'mcp_hub_sign_in'

interface Words {
  lang: string
  signedIn: string
  failed: string
  close: string
}

const ENGLISH: Words = {
  lang: 'en',
  signedIn: 'Signed in to {server}',
  failed: 'Not signed in',
  close: 'You can close this page and go back to MCP Hub.',
}
const CHINESE: Words = {
  lang: 'zh-CN',
  signedIn: '已登录 {server}',
  failed: '登录未完成',
  close: '可以关闭此页面，返回 MCP Hub。',
}

/** The two addresses below `/oauth`: where browsers bring the answer to a sign-in, and the hub's client metadata document. */
export async function serveOAuth(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  accounts: Accounts,
  baseUrl: string | null,
): Promise<void> {
  if (request.method === 'GET' && path === CLIENT_METADATA_PATH && baseUrl !== null && ownMetadataUrl(baseUrl)) {
    send(response, 200, 'application/json', JSON.stringify(clientMetadataDocument(baseUrl)))
    return
  }
  if (request.method !== 'GET' || path !== CALLBACK_PATH) {
    send(response, 404, 'text/plain; charset=utf-8', 'There is nothing here')
    return
  }
  const answer = new URL(request.url ?? '', 'http://localhost').searchParams
  const result = await accounts.callback(answer, browserOf(request))
  response.setHeader('set-cookie', `${SIGN_IN_COOKIE}=; Path=${CALLBACK_PATH}; Max-Age=0; HttpOnly; SameSite=Lax`)
  const words = /^\s*zh\b/i.test(request.headers['accept-language'] ?? '') ? CHINESE : ENGLISH
  send(response, result.ok ? 200 : 400, 'text/html; charset=utf-8', page(result, words))
}

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response
    .writeHead(status, {
      'content-type': type,
      'content-length': Buffer.byteLength(body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // The address carries a code.
      'referrer-policy': 'no-referrer',
      // Nothing on the page can run or load, whatever a service wrote into the answer.
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    })
    .end(body)
}

function page(result: CallbackResult, words: Words): string {
  const title = result.ok ? words.signedIn.replace('{server}', result.server) : words.failed
  const detail = result.ok ? [words.close] : [result.message, result.cure]
  return `<!doctype html>
<html lang="${words.lang}">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>${escape(title)}</title>
<h1>${escape(title)}</h1>
${detail.map((line) => `<p>${escape(line)}</p>`).join('\n')}
</html>
`
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)
}

function browserOf(request: IncomingMessage): string | null {
  const pair = (request.headers.cookie ?? '')
    .split(';')
    .map((part) => part.trim())
    .find((part) => part.startsWith(`${SIGN_IN_COOKIE}=`))
  return pair === undefined ? null : pair.slice(SIGN_IN_COOKIE.length + 1)
}
