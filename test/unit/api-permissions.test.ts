import { describe, expect, it } from 'vitest'
import { createApp, type AppOptions } from '../../hub/api/app.ts'
import { routeNeeds } from '../../hub/api/permissions.ts'
import { permissions, roleGrants } from '../../hub/contract/index.ts'

interface Layer {
  route?: { path: string; methods: Record<string, boolean> }
  handle: { stack?: unknown }
}

/** Every route that Express has, as the table writes it. Registering needs none of the parts that handlers use. */
function routesOfExpress(webDir: string | null): string[] {
  const part = new Proxy({}, { get: () => () => ({}) })
  const app = createApp({
    auth: { identity: { keys: part }, mode: 'server', trust: () => false, identify: () => Promise.resolve(null) },
    servers: part,
    doctor: part,
    accounts: part,
    catalog: part,
    cases: part,
    config: part,
    adminConfig: part,
    backups: part,
    profiles: part,
    pins: part,
    hub: part,
    history: { history: part },
    publisher: part,
    push: { push: part },
    settings: part,
    webhooks: part,
    identify: () => Promise.resolve(null),
    maxBodyBytes: () => 1_000,
    webDir,
    log: () => undefined,
  } as unknown as AppOptions)
  const layers = app.router.stack as unknown as Layer[]
  // A nested router would hide its routes from this list.
  expect(layers.filter((layer) => Array.isArray(layer.handle.stack) && layer.route === undefined)).toEqual([])
  return layers.flatMap(({ route }) =>
    route === undefined ? [] : Object.keys(route.methods).map((method) => `${method.toUpperCase()} ${route.path}`),
  )
}

describe('the table of permissions', () => {
  it('has exactly the routes that Express has', () => {
    expect(routesOfExpress(null).sort()).toEqual(Object.keys(routeNeeds).sort())
  })
  it('the web UI adds its one page and nothing else', () => {
    expect(routesOfExpress('/nowhere').filter((route) => !(route in routeNeeds))).toEqual(['GET /{*path}'])
  })
  it('leaves open only what a door needs', () => {
    const open = Object.entries(routeNeeds).filter(([, need]) => need === 'open')
    expect(open.map(([route]) => route)).toEqual([
      'GET /api/auth/me',
      'POST /api/auth/login',
      'POST /api/auth/setup',
      'POST /api/auth/refresh',
      'POST /api/auth/logout',
    ])
  })
})

it('each role may what the one below it may, and only the app touches the computer', () => {
  const { viewer, user, operator, admin } = roleGrants
  expect(user).toEqual(expect.arrayContaining([...viewer]))
  expect(operator).toEqual(expect.arrayContaining([...user]))
  expect(admin).toEqual(expect.arrayContaining([...operator]))
  expect(permissions.filter((permission) => !admin.includes(permission))).toEqual(['host:access'])
  for (const grants of [viewer, user, operator]) expect(grants).not.toContain('servers:exec')
})
