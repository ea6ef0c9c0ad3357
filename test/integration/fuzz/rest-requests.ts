import fc from 'fast-check'
import { routeNeeds } from '../../../hub/api/permissions.ts'
import type { RouteKey } from '../../../hub/contract/operations/table.ts'
import { faultyText } from './json-text.ts'
import { faultyRequest, type Input } from './requests.ts'

/**
 * What an administrator may send without harm, whatever it says. The rest of the routes run programs, write files, wait for
 * the network, or end the session that sends: they are asked without a token, which must be enough to be refused.
 */
const profile = { description: 'x', servers: { echo: { tools: { only: ['echo'] } } }, toolSearch: false }
const bodies: Partial<Record<RouteKey, unknown>> = {
  'POST /api/servers/parse': { text: '{"mcpServers":{"a":{"command":"node","args":["x"]}}}' },
  'POST /api/servers/secrets': { name: 'a', config: { command: 'node', env: { API_KEY: 'sk-0123456789' } } },
  'POST /api/tools/call': { server: 'echo', tool: 'echo', arguments: { text: 'x' } },
  'POST /api/prompts/get': { server: 'echo', prompt: 'x', arguments: { a: 'b' } },
  'POST /api/resources/read': { server: 'echo', uri: 'x:y' },
  'POST /api/completions': {
    server: 'echo',
    ref: { type: 'ref/prompt', name: 'x' },
    argument: { name: 'a', value: '' },
  },
  'PUT /api/cases/:id': { name: 'x', arguments: '{}', expected: null },
  'POST /api/calls/:call/questions/:question': { result: { action: 'cancel' } },
  'POST /api/profiles/preview': profile,
  'PUT /api/profiles/:name': { config: profile },
  'POST /api/pins': { action: 'approve', tools: [{ server: 'echo', tool: 'echo', hash: 'x' }] },
  'POST /api/auth/login': { username: 'admin', password: 'wrong' },
  'POST /api/auth/refresh': { refreshToken: 'x' },
  'POST /api/auth/setup': { code: 'x', username: 'admin', password: 'not the right one' },
}
const queries = [
  '',
  '?limit=1&offset=0',
  '?limit=-1',
  '?from=x&to=9e99',
  '?cursor=%ff',
  '?user=me',
  '?q=%27%3B--',
  '?a[b]=c',
]

/** They read a lot, or run programs to ask for their versions. */
const slow = ['GET /api/diagnostics', 'GET /api/runtimes']
const harmless = (Object.keys(routeNeeds) as RouteKey[]).filter(
  (route) => (route.startsWith('GET ') && !slow.includes(route)) || route in bodies,
)
const other = (Object.keys(routeNeeds) as RouteKey[]).filter((route) => !harmless.includes(route))

const parameter = fc.oneof(
  fc.constantFrom('echo', '__proto__', 'constructor', '%00', '%', '..%2f..', 'x'.repeat(2_000), '%ff', '%e2%98%83', ''),
  fc.string({ maxLength: 12 }).map(encodeURIComponent),
)

function request(route: RouteKey, token: string | null): fc.Arbitrary<Input> {
  const [method = '', pattern = ''] = route.split(' ')
  const body = method === 'GET' ? fc.constant('') : faultyText(fc.constant(bodies[route] ?? { name: 'x', config: {} }))
  return fc.tuple(body, parameter, fc.constantFrom(...queries)).map(([text, value, query]) => ({
    method,
    path: pattern.replace(/:\w+/g, value) + (method === 'GET' ? query : ''),
    headers: [
      ['host', 'localhost'],
      ...(token === null ? [] : ([['authorization', token]] as [string, string][])),
      ...(text === '' ? [] : ([['content-type', 'application/json']] as [string, string][])),
    ],
    body: text,
  }))
}

export function restRequests(token: string): fc.Arbitrary<Input> {
  return faultyRequest(
    fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...harmless).chain((route) => request(route, token)) },
      { weight: 1, arbitrary: fc.constantFrom(...other).chain((route) => request(route, null)) },
    ),
  ).map((input) => (mayHarm(input) ? withoutToken(input) : input))
}

const harmful = other.map((route) => {
  const [method = '', pattern = ''] = route.split(' ')
  return { method, path: new RegExp(`^${pattern.replace(/:\w+/g, '[^/]+')}/?$`, 'i') }
})

/** With another method a request becomes another route's: an administrator's DELETE would take the server away. */
function mayHarm({ method, path }: Input): boolean {
  const [own = ''] = path.split(/[?#]/)
  return harmful.some((route) => route.method === method && route.path.test(own))
}

const withoutToken = (input: Input): Input => ({
  ...input,
  headers: input.headers.filter(([name]) => name !== 'authorization'),
})
