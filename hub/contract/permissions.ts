export const roles = ['admin', 'operator', 'user', 'viewer'] as const
export type Role = (typeof roles)[number]

/** What a caller may be allowed. Every route names the one it needs; what nobody was granted is refused. */
export const permissions = [
  /** State, version and events of the hub. */
  'hub:read',
  'hub:configure',
  /** Read the configuration with references in the place of secrets, and push another. */
  'config:push',
  /** Servers with their state, their log and what they offer. */
  'servers:read',
  /** Enable, disable, restart. */
  'servers:operate',
  /** Add, change and delete entries, as long as they run no other program than before. What they refer to is sent to where they point. */
  'servers:write',
  /** Decide which program a server runs: command, arguments, environment and folder. That is running code on the hub. */
  'servers:exec',
  /** Profiles, and which definitions of tools are approved. */
  'profiles:write',
  /** Call tools, get prompts and read resources over REST. */
  'tools:call',
  /** One's own requests in the history. */
  'history:own',
  /** Everybody's requests, and the statistics made of them. */
  'history:read',
  /** Figures for Prometheus. */
  'metrics:read',
  /** Who administered what. */
  'audit:read',
  /** Connect to the MCP endpoints. */
  'mcp:connect',
  'publish',
  /** Names of secrets and what uses them, and new values for them. No permission shows a value. */
  'secrets:manage',
  /** Keys of one's own, for what one may do oneself. */
  'keys:own',
  /** Everybody's keys. */
  'keys:manage',
  'users:manage',
  /** What touches the disk and the ports of the computer in front of a person: only the desktop app. */
  'host:access',
] as const
export type Permission = (typeof permissions)[number]

const viewer: readonly Permission[] = ['hub:read', 'servers:read', 'history:own']
const user: readonly Permission[] = [...viewer, 'tools:call', 'mcp:connect', 'keys:own']
const operator: readonly Permission[] = [...user, 'servers:operate', 'profiles:write', 'history:read', 'metrics:read']
const admin: readonly Permission[] = permissions.filter((permission) => permission !== 'host:access')

/** What each role is granted. */
export const roleGrants: Readonly<Record<Role, readonly Permission[]>> = { admin, operator, user, viewer }
