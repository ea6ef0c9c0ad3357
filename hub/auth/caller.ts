import { permissions, roleGrants, type Permission, type Role } from '../contract/index.ts'

/** Who makes a request, found by the credential that it carries. */
export interface Caller {
  /** Stable and unique, e.g. `user:admin` or `key:desktop`. */
  id: string
  name: string
  role: Role
  permissions: ReadonlySet<Permission>
}

export function may(caller: Caller, permission: Permission): boolean {
  return caller.permissions.has(permission)
}

/** The app itself: everything, and what touches this computer. */
export const appCaller: Caller = { id: 'app', name: 'MCP Hub', role: 'admin', permissions: new Set(permissions) }

/** MCP clients that were given the token of this computer, and nothing else. */
export const desktopClient: Caller = {
  id: 'key:desktop',
  name: 'This computer',
  role: 'user',
  permissions: new Set<Permission>(['mcp:connect']),
}

/** MCP_HUB_TOKEN: set up and automation. */
export const bootstrapCaller: Caller = {
  id: 'key:bootstrap',
  name: 'MCP_HUB_TOKEN',
  role: 'admin',
  permissions: new Set(roleGrants.admin),
}

/** With `auth.mcp` `"none"`, on loopback only. */
export const anonymousCaller: Caller = {
  id: 'anonymous',
  name: 'anonymous',
  role: 'viewer',
  permissions: new Set<Permission>(['mcp:connect']),
}
