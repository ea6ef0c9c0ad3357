import { homedir } from 'node:os'
import { connectionSchema, sshHostSchema, type Connection, type SshSignIn } from '../contract/push.ts'
import type { StoredTarget, Targets } from '../publish/push/targets.ts'
import { UsageError, type CommandOption, type Values } from './command.ts'
import { publishCommand, targetOf } from './publish.ts'
import { folderOptions } from './setting-options.ts'

/** What `publish` takes to say what the target is. */
const targetOptions = Object.fromEntries(
  Object.entries(publishCommand.options).filter(([name]) => !['out', 'force', 'config'].includes(name)),
)

/** What every command that goes to a server takes. */
export const connectionOptions: Readonly<Record<string, CommandOption>> = {
  ...folderOptions,
  host: {
    type: 'string',
    value: 'HOST',
    help: 'a server that is not saved; --domain and what else publish takes say what it is',
  },
  port: { type: 'string', value: 'PORT', help: 'of its SSH server (default 22)' },
  user: { type: 'string', value: 'NAME', help: 'to sign in as (default root)' },
  key: { type: 'string', value: 'FILE', help: 'private key (default: the SSH agent)' },
  jump: { type: 'string', value: '[USER@]HOST[:PORT]', help: 'go through this host, with the same key' },
  sudo: { type: 'boolean', help: 'the user is not root, and becomes it with sudo' },
  'host-key': { type: 'string', value: 'SHA256:…,…', help: 'fingerprints to trust at the first connection' },
  'passphrase-env': {
    type: 'string',
    value: 'NAME',
    help: 'environment variable that holds the passphrase of the key',
  },
  'sudo-password-env': { type: 'string', value: 'NAME', help: 'environment variable that holds the password for sudo' },
  ...targetOptions,
  json: { type: 'boolean', help: 'print the result as JSON; what happens is told on stderr' },
}

/** The saved target that is named, or what the options say of another one. */
export async function targetFrom(
  values: Values,
  targets: Targets,
): Promise<{ name: string | null; stored: StoredTarget }> {
  const { target: name, host } = values
  if (typeof name === 'string') {
    if (host !== undefined) throw new UsageError(`Either a saved target (${name}) or --host.`)
    return { name, stored: await targets.get(name) }
  }
  if (typeof host !== 'string') throw new UsageError('Name a saved target, or a server with --host.')
  return { name: null, stored: { target: targetOf(values), connection: connectionOf(values, host) } }
}

function connectionOf(values: Values, host: string): Connection {
  const { key, jump } = values
  const signIn: SshSignIn =
    typeof key === 'string' ? { method: 'key', file: key.replace(/^~/, homedir()) } : { method: 'agent' }
  const checked = connectionSchema.safeParse({
    host,
    signIn,
    sudo: values['sudo'] === true,
    ...given('port', values['port'] === undefined ? undefined : Number(values['port'])),
    ...given('user', values['user']),
    ...(typeof jump === 'string' ? { jump: jumpOf(jump, signIn) } : {}),
  })
  if (checked.success) return checked.data
  const [issue] = checked.error.issues
  const option = String(issue?.path[0] ?? 'host').replace('signIn', 'key')
  throw new UsageError(`--${option}: ${issue?.message ?? 'is not valid'}.`)
}

function jumpOf(text: string, signIn: SshSignIn): Connection['jump'] {
  const [, user, host, port] = /^(?:([^@]+)@)?(.+?)(?::(\d+))?$/.exec(text) ?? []
  const checked = sshHostSchema.safeParse({
    host,
    signIn,
    ...given('user', user),
    ...given('port', port === undefined ? undefined : Number(port)),
  })
  if (!checked.success) throw new UsageError(`--jump ${text}: ${checked.error.issues[0]?.message ?? 'is not valid'}.`)
  return checked.data
}

const given = (name: string, value: unknown): Record<string, unknown> => (value === undefined ? {} : { [name]: value })
