import type { Request } from 'express'
import { appDomains, appFramePolicy, appFrameQuerySchema, sortAppDomains } from '../contract/app-frame.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { queryOf, type On } from './routes.ts'

/**
 * Takes the app's HTML from the page that it is framed by, once, and becomes it: the policy that came with this document stays. The
 * messages are those of the specification between a host and its sandbox.
 */
const FRAME = `<!doctype html>
<html>
  <head>
    <meta charset="utf-8">
    <title>MCP app</title>
    <script>
      addEventListener('message', function take(event) {
        if (event.source !== parent || event.data?.method !== 'ui/notifications/sandbox-resource-ready') return
        removeEventListener('message', take)
        document.open()
        document.write(event.data.params.html)
        document.close()
      })
      parent.postMessage({ jsonrpc: '2.0', method: 'ui/notifications/sandbox-proxy-ready', params: {} }, '*')
    </script>
  </head>
</html>
`

/** `GET /api/apps/frame`: where apps of servers (MCP Apps) run. */
export function appRoutes(on: On): void {
  on('GET /api/apps/frame', (request, response) => {
    const { allowed, refused } = sortAppDomains(declaredIn(request), hostOf(request))
    if (refused.length > 0)
      throw new HubError('HUB_BAD_REQUEST', say`An app cannot have ${refused.join(', ')}`, {
        cure: say`Name https:// or wss:// origins with a domain name, other than the hub’s own.`,
      })
    response.set({
      'content-security-policy': appFramePolicy(allowed),
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
    })
    response.type('html').send(FRAME)
  })
}

function declaredIn(request: Request): Record<string, string[]> {
  const query = queryOf(request, appFrameQuerySchema)
  return Object.fromEntries(appDomains.map((kind) => [kind, query[kind].split(' ').filter((source) => source !== '')]))
}

const hostOf = (request: Request): string => request.get('host') ?? ''
