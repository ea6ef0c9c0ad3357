import { permissions, roleGrants, type Permission, type Role, type Scope } from '../contract/index.ts'

/** Who makes a request, found by the credential that it carries. */
export interface Caller {
  /** Stable and unique, e.g. `user:admin` or `key:desktop`. */
  id: string
  name: string
  role: Role
  permissions: ReadonlySet<Permission>
  /** What it is narrowed to; see scope.ts. */
  scopes: readonly Scope[]
  /** The user behind it, and the session that it came with. */
  user: string | null
  session: string | null
  mustChangePassword: boolean
  /** A key for nothing but this: routes that do not serve it refuse the caller, whatever its permissions are. */
  purpose?: 'enrolment' | 'deploy'
  /** When the credential ends by itself, where nothing of it is kept here. */
  expiresAt?: number
}

export function may(caller: Caller, permission: Permission): boolean {
  return caller.permissions.has(permission)
}

/** A caller that is no user's. */
export function fixedCaller(id: string, name: string, role: Role, granted: readonly Permission[]): Caller {
  return {
    id,
    name,
    role,
    permissions: new Set(granted),
    scopes: [],
    user: null,
    session: null,
    mustChangePassword: false,
  }
}

/** The app itself: everything, and what touches this computer. */
export const appCaller = fixedCaller('app', 'MCP Hub', 'admin', permissions)

/** MCP clients that were given the token of this computer, and nothing else. */
export const desktopClient = fixedCaller('key:desktop', 'This computer', 'user', ['mcp:connect'])

/** MCP_HUB_TOKEN: set up and automation. */
export const bootstrapCaller = fixedCaller('key:bootstrap', 'MCP_HUB_TOKEN', 'admin', roleGrants.admin)

/** With `auth.mcp` `"none"`, on loopback only. */
export const anonymousCaller = fixedCaller('anonymous', 'anonymous', 'viewer', ['mcp:connect'])
