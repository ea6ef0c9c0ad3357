import { roles, userNameSchema, type Role, type User } from '../contract/index.ts'
import { exitCodes, UsageError, type Command, type Values } from './command.ts'
import { withIdentity } from './open-identity.ts'
import { folderOptions } from './setting-options.ts'
import { readPassword } from './read-password.ts'
import { tableOf } from './table.ts'

const nameArgument = { name: 'name', help: 'the user’s name' }
const generate = {
  type: 'boolean',
  help: 'make a password and print it once, instead of asking for one',
} as const

export const userAddCommand: Command = {
  name: 'user add',
  summary: 'Add a user; the password is asked for, or read from stdin, and must be changed at the first sign-in.',
  options: {
    role: { type: 'string', value: 'ROLE', help: `${roles.join(', ')} (default user)` },
    generate,
    ...folderOptions,
  },
  positional: nameArgument,
  run: (values, io) =>
    withIdentity(values, io, async ({ users, operator }) => {
      const name = nameOf(values)
      const role = values['role'] ?? 'user'
      if (!isRole(role)) throw new UsageError(`--role is one of ${roles.join(', ')}.`)
      const password = values['generate'] === true ? undefined : await readPassword(io)
      const { initialPassword } = await users.create(operator, { name, role, password })
      io.out(`Added ${name} (${role}).\n`)
      if (initialPassword !== undefined) io.out(`Password, shown once: ${initialPassword}\n`)
      return exitCodes.ok
    }),
}

export const userPasswdCommand: Command = {
  name: 'user passwd',
  summary: 'Give a user another password; ends all their sessions and locks.',
  options: { generate, ...folderOptions },
  positional: nameArgument,
  run: (values, io) =>
    withIdentity(values, io, async ({ users, operator }) => {
      const name = nameOf(values)
      await users.get(name)
      const password = values['generate'] === true ? undefined : await readPassword(io)
      const { initialPassword } = await users.resetPassword(operator, name, password)
      io.out(`${name} has another password, to be changed at the next sign-in.\n`)
      if (initialPassword !== undefined) io.out(`Password, shown once: ${initialPassword}\n`)
      return exitCodes.ok
    }),
}

export const userUnlockCommand: Command = {
  name: 'user unlock',
  summary: 'Let a user in again who was locked out by wrong passwords.',
  options: folderOptions,
  positional: nameArgument,
  run: (values, io) =>
    withIdentity(values, io, async ({ users, operator }) => {
      const name = nameOf(values)
      const { lockouts } = await users.get(name)
      await users.unlock(operator, name)
      io.out(
        lockouts.length === 0
          ? `${name} was not locked; earlier tries are forgotten.\n`
          : `${name} may try again from ${lockouts.map(({ address }) => address).join(', ')}.\n`,
      )
      return exitCodes.ok
    }),
}

export const userListCommand: Command = {
  name: 'user list',
  summary: 'Users with role, state and sessions.',
  options: { json: { type: 'boolean', help: 'as JSON' }, ...folderOptions },
  run: (values, io) =>
    withIdentity(values, io, async ({ users }) => {
      const found = await users.list()
      io.out(
        values['json'] === true
          ? `${JSON.stringify(found, null, 2)}\n`
          : tableOf(
              ['NAME', 'ROLE', 'STATE', 'SESSIONS'],
              found.map((user) => [user.name, user.role, stateOf(user), String(user.sessions)]),
            ),
      )
      return exitCodes.ok
    }),
}

function nameOf(values: Values): string {
  const parsed = userNameSchema.safeParse(values['name'])
  if (parsed.success) return parsed.data
  throw new UsageError(values['name'] === undefined ? 'NAME is missing.' : `${parsed.error.issues[0]?.message ?? ''}.`)
}

function isRole(value: unknown): value is Role {
  return (roles as readonly unknown[]).includes(value)
}

function stateOf({ disabled, lockouts, mustChangePassword }: User): string {
  const states = [
    ...(disabled ? ['disabled'] : []),
    ...(lockouts.length > 0 ? [`locked from ${lockouts.map(({ address }) => address).join(' ')}`] : []),
    ...(mustChangePassword ? ['must change the password'] : []),
  ]
  return states.length === 0 ? 'active' : states.join(', ')
}
