import { permissions, permissionSchema, roleGrants, type Permission, type Scope } from '../contract/index.ts'
import { fixedCaller, type Caller } from '../auth/caller.ts'
import { exitCodes, requireOption, UsageError, type Command, type Values } from './command.ts'
import { withIdentity, type OpenedIdentity } from './open-identity.ts'
import { folderOptions } from './setting-options.ts'
import { tableOf } from './table.ts'

const DAY_MS = 86_400_000

export const keyCreateCommand: Command = {
  name: 'key create',
  summary: 'Make an API key and print it once. Without --user it is the hub’s own.',
  options: {
    name: { type: 'string', value: 'NAME', help: 'what it is for' },
    user: { type: 'string', value: 'USER', help: 'the user it acts for; it never may more than they' },
    permissions: { type: 'string', value: 'LIST', help: 'e.g. mcp:connect,metrics:read (default mcp:connect)' },
    profiles: { type: 'string', value: 'LIST', help: 'only these profiles; * stands for any characters' },
    servers: { type: 'string', value: 'LIST', help: 'only these servers' },
    'tool-search': {
      type: 'string',
      value: 'on|off',
      help: 'its clients find tools by search, or see all of them (default: as the profile says)',
    },
    days: { type: 'string', value: 'N', help: 'ends after so many days (default never)' },
    ...folderOptions,
  },
  run: (values, io) =>
    withIdentity(values, io, async (opened) => {
      const key = await opened.keys.create(await ownerOf(opened, values['user']), {
        name: requireOption(values, 'name'),
        permissions: permissionsOf(values['permissions']),
        scope: scopeOf(values),
        expiresAt: endOf(values['days']),
        toolSearch: toolSearchOf(values['tool-search']),
      })
      // The key alone on stdout, so that a script can take it.
      io.err(`Key ${key.id}, shown once:\n`)
      io.out(`${key.secret}\n`)
      return exitCodes.ok
    }),
}

export const keyListCommand: Command = {
  name: 'key list',
  summary: 'API keys with owner, permissions and last use.',
  options: { json: { type: 'boolean', help: 'as JSON' }, ...folderOptions },
  run: (values, io) =>
    withIdentity(values, io, async ({ keys, operator }) => {
      const found = await keys.list(operator)
      const day = (at: number | null, none: string): string =>
        at === null ? none : new Date(at).toISOString().slice(0, 10)
      io.out(
        values['json'] === true
          ? `${JSON.stringify(found, null, 2)}\n`
          : tableOf(
              ['ID', 'NAME', 'OWNER', 'PERMISSIONS', 'ENDS', 'LAST USED'],
              found.map((key) => [
                key.id,
                key.name,
                key.owner ?? '-',
                key.permissions.join(','),
                day(key.expiresAt, 'never'),
                day(key.lastUsedAt, 'never'),
              ]),
            ),
      )
      return exitCodes.ok
    }),
}

export const keyRevokeCommand: Command = {
  name: 'key revoke',
  summary: 'Delete an API key; what it has open ends at once.',
  options: folderOptions,
  positional: { name: 'id', help: 'its id, as key list shows it' },
  run: (values, io) =>
    withIdentity(values, io, async ({ keys, operator }) => {
      const id = values['id']
      if (typeof id !== 'string') throw new UsageError('ID is missing.')
      await keys.remove(operator, id)
      io.out(`Revoked ${id}.\n`)
      return exitCodes.ok
    }),
}

/** A key of a user is made as if by them, so that it may no more than they. */
async function ownerOf({ users, operator }: OpenedIdentity, name: Values[string]): Promise<Caller> {
  if (typeof name !== 'string') return operator
  const { role } = await users.get(name)
  return { ...fixedCaller(`user:${name}`, name, role, roleGrants[role]), user: name }
}

function listOf(value: Values[string]): string[] | undefined {
  if (typeof value !== 'string') return undefined
  return value
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function permissionsOf(value: Values[string]): Permission[] | undefined {
  return listOf(value)?.map((name) => {
    const parsed = permissionSchema.safeParse(name)
    if (parsed.success) return parsed.data
    throw new UsageError(`There is no permission '${name}'. They are ${permissions.join(', ')}.`)
  })
}

function scopeOf(values: Values): Scope | undefined {
  const [profiles, servers] = [listOf(values['profiles']), listOf(values['servers'])]
  if (profiles === undefined && servers === undefined) return undefined
  return { ...(profiles === undefined ? {} : { profiles }), ...(servers === undefined ? {} : { servers }) }
}

function toolSearchOf(value: Values[string]): boolean | undefined {
  if (value === undefined) return undefined
  if (value !== 'on' && value !== 'off') throw new UsageError('--tool-search is on or off.')
  return value === 'on'
}

function endOf(days: Values[string]): number | undefined {
  if (days === undefined) return undefined
  if (typeof days !== 'string' || !/^[1-9]\d{0,4}$/.test(days)) throw new UsageError('--days is a number of days.')
  return Date.now() + Number(days) * DAY_MS
}
