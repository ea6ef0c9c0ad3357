import type { Caller } from '../auth/caller.ts'
import type { Permission, RateClass } from '../contract/index.ts'
import type { RouteKey } from '../contract/operations/table.ts'

/** `open`: no credential. `signed-in`: whoever has one, also before a password that must be changed is. */
export type Need = Permission | 'open' | 'signed-in'

/**
 * What each route of `contract/operations` needs. A route that is not here cannot be registered (`routes.ts`), and a test
 * holds the table against what Express has.
 */
export const routeNeeds = {
  'GET /api/auth/me': 'open',
  'POST /api/auth/login': 'open',
  'POST /api/auth/setup': 'open',
  'POST /api/auth/refresh': 'open',
  'POST /api/auth/logout': 'open',
  'POST /api/auth/password': 'signed-in',

  'GET /api/roles': 'users:manage',
  'GET /api/users': 'users:manage',
  'POST /api/users': 'users:manage',
  'GET /api/users/:name': 'users:manage',
  'PUT /api/users/:name': 'users:manage',
  'DELETE /api/users/:name': 'users:manage',
  'POST /api/users/:name/password': 'users:manage',
  'POST /api/users/:name/unlock': 'users:manage',
  'POST /api/users/:name/sign-out': 'users:manage',

  'GET /api/sessions': 'signed-in',
  'DELETE /api/sessions/:id': 'signed-in',

  'GET /api/access/unused': 'keys:manage',
  'GET /api/access/unused-scopes': 'keys:manage',
  'GET /api/keys': 'keys:own',
  'POST /api/keys': 'keys:own',
  'PUT /api/keys/:id': 'keys:own',
  'DELETE /api/keys/:id': 'keys:own',

  'GET /api/hub': 'hub:read',
  'POST /api/hub/endpoint': 'host:access',
  'GET /api/events': 'hub:read',
  'GET /api/diagnostics': 'hub:configure',
  'POST /api/diagnostics/cpu-profile': 'hub:configure',
  'GET /api/settings': 'hub:configure',
  'PUT /api/settings/:name': 'hub:configure',
  'DELETE /api/settings/:name': 'hub:configure',
  'GET /api/webhooks': 'hub:configure',
  'PUT /api/webhooks/:id': 'hub:configure',
  'DELETE /api/webhooks/:id': 'hub:configure',
  'POST /api/webhooks/:id/restore': 'hub:configure',
  'POST /api/webhooks/:id/test': 'hub:configure',
  'GET /api/backups': 'hub:configure',
  'POST /api/backups': 'hub:configure',
  // It holds the vault and the users.
  'GET /api/backups/:name': 'secrets:manage',
  'DELETE /api/backups/:name': 'hub:configure',
  'GET /api/backups/:name/contents': 'hub:configure',
  'POST /api/backups/:name/restore': 'hub:configure',

  'GET /api/config/versions': 'hub:configure',
  'GET /api/config/versions/:id': 'hub:configure',
  'POST /api/config/versions/:id/restore': 'hub:configure',
  'GET /api/config/users/versions': 'users:manage',
  'GET /api/config/users/versions/:id': 'users:manage',
  'POST /api/config/users/versions/:id/restore': 'users:manage',
  'GET /api/openapi.json': 'signed-in',

  'GET /api/admin/config': 'config:push',
  'PUT /api/admin/config': 'config:push',
  'GET /api/admin/config/pushes': 'config:push',
  'GET /api/admin/config/pushes/:id': 'config:push',
  'POST /api/admin/deploy-keys': 'keys:manage',
  'POST /api/admin/deploy-keys/enrol': 'signed-in',

  'GET /api/servers': 'servers:read',
  'POST /api/servers': 'servers:write',
  'POST /api/servers/parse': 'servers:write',
  'POST /api/servers/dry-run': 'servers:write',
  'POST /api/servers/secrets': 'servers:write',
  'GET /api/servers/:name': 'servers:read',
  'PUT /api/servers/:name': 'servers:write',
  'DELETE /api/servers/:name': 'servers:write',
  'POST /api/servers/:name/enable': 'servers:operate',
  'POST /api/servers/:name/disable': 'servers:operate',
  'POST /api/servers/:name/restart': 'servers:operate',
  'GET /api/servers/:name/consent': 'servers:exec',
  'POST /api/servers/:name/consent': 'servers:exec',
  'POST /api/servers/:name/doctor': 'servers:operate',
  'GET /api/servers/:name/logs': 'servers:read',

  'GET /api/accounts': 'servers:read',
  'POST /api/accounts/:name/sign-in': 'servers:operate',
  'POST /api/accounts/:name/sign-out': 'servers:operate',

  'GET /api/runtimes': 'servers:read',
  'POST /api/runtimes/refresh': 'servers:operate',

  'GET /api/apps/frame': 'tools:call',
  'GET /api/tools': 'servers:read',
  'GET /api/prompts': 'servers:read',
  'GET /api/resources': 'servers:read',
  'POST /api/tools/call': 'tools:call',
  'POST /api/prompts/get': 'tools:call',
  'POST /api/resources/read': 'tools:call',
  'POST /api/completions': 'tools:call',
  'POST /api/calls/:call/questions/:question': 'tools:call',
  'GET /api/cases': 'tools:call',
  'POST /api/cases': 'tools:call',
  'GET /api/cases/:id': 'tools:call',
  'PUT /api/cases/:id': 'tools:call',
  'DELETE /api/cases/:id': 'tools:call',

  'GET /api/servers/:name/tools/:tool/pin': 'servers:read',
  'GET /api/servers/:name/instructions/pin': 'servers:read',
  'POST /api/pins': 'profiles:write',

  'GET /api/profiles': 'servers:read',
  'POST /api/profiles/preview': 'servers:read',
  'GET /api/profiles/:name': 'servers:read',
  'GET /api/profiles/:name/preview': 'servers:read',
  'PUT /api/profiles/:name': 'profiles:write',
  'DELETE /api/profiles/:name': 'profiles:write',

  'GET /api/secrets': 'secrets:manage',
  'PUT /api/secrets/:name': 'secrets:manage',
  'DELETE /api/secrets/:name': 'secrets:manage',

  'GET /api/history': 'history:own',
  'GET /api/history/export': 'history:own',
  'GET /api/tools/last-used': 'history:own',
  'GET /api/history/:id': 'history:own',
  'GET /api/stats': 'history:read',
  'GET /api/metrics': 'metrics:read',
  'GET /api/audit': 'audit:read',
  'GET /api/audit/export': 'audit:read',
  'GET /api/audit/verify': 'audit:read',

  'POST /api/publish/preview': 'publish',
  'POST /api/publish/archive': 'publish',
  'POST /api/publish/export': 'host:access',
  'GET /api/publish/targets': 'host:access',
  'GET /api/publish/targets/:name': 'host:access',
  'PUT /api/publish/targets/:name': 'host:access',
  'DELETE /api/publish/targets/:name': 'host:access',
  'GET /api/publish/targets/:name/history': 'host:access',
  'GET /api/publish/targets/:name/history/:id': 'host:access',
  'DELETE /api/publish/targets/:name/host-keys': 'host:access',
  'POST /api/publish/targets/:name/plan': 'host:access',
  'POST /api/publish/targets/:name/push': 'host:access',
  'POST /api/publish/targets/:name/rollback': 'host:access',
  'POST /api/publish/targets/:name/verify': 'host:access',
  'POST /api/publish/targets/:name/pull': 'host:access',
  'POST /api/publish/runs/:run/questions/:question': 'host:access',
  'DELETE /api/publish/runs/:run': 'host:access',
} as const satisfies Record<RouteKey, Need>

/** All that a key for one purpose is good for; also routes that ask for no permission refuse it. */
export const routesFor: Readonly<Record<NonNullable<Caller['purpose']>, ReadonlySet<RouteKey | null>>> = {
  enrolment: new Set<RouteKey>(['POST /api/admin/deploy-keys/enrol']),
  deploy: new Set<RouteKey>([
    'GET /api/admin/config',
    'PUT /api/admin/config',
    'GET /api/admin/config/pushes',
    'GET /api/admin/config/pushes/:id',
  ]),
}

/** Where passwords and codes are tried. */
const doors: ReadonlySet<RouteKey | null> = new Set<RouteKey>([
  'POST /api/auth/login',
  'POST /api/auth/setup',
  'POST /api/auth/password',
  'POST /api/admin/deploy-keys/enrol',
])

/** The same work as on an MCP endpoint. */
const calls: ReadonlySet<RouteKey | null> = new Set<RouteKey>([
  'POST /api/tools/call',
  'POST /api/prompts/get',
  'POST /api/resources/read',
  'POST /api/completions',
])

/** Which limit of `rateLimit` a request counts for; null stands for a route that is not there. */
export function rateClassOf(route: RouteKey | null, method: string): RateClass {
  if (doors.has(route)) return 'login'
  if (calls.has(route)) return 'mcp'
  return method === 'GET' || method === 'HEAD' ? 'apiRead' : 'apiWrite'
}

/** Routes that show and do only what a caller's scope names. Whoever has a scope gets no other that needs a permission. */
export const scopedRoutes: ReadonlySet<RouteKey> = new Set<RouteKey>([
  'GET /api/hub',
  'GET /api/keys',
  'POST /api/keys',
  'PUT /api/keys/:id',
  'DELETE /api/keys/:id',
  'GET /api/events',
  'GET /api/servers',
  'GET /api/servers/:name',
  'POST /api/servers/:name/enable',
  'POST /api/servers/:name/disable',
  'POST /api/servers/:name/restart',
  'GET /api/servers/:name/logs',
  'GET /api/apps/frame',
  'GET /api/tools',
  'GET /api/tools/last-used',
  'GET /api/prompts',
  'GET /api/resources',
  'POST /api/tools/call',
  'POST /api/prompts/get',
  'POST /api/resources/read',
  'POST /api/completions',
  'POST /api/calls/:call/questions/:question',
  'GET /api/cases',
  'POST /api/cases',
  'GET /api/cases/:id',
  'PUT /api/cases/:id',
  'DELETE /api/cases/:id',
])
