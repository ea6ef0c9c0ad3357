import {
  connectionSchema,
  sshHostSchema,
  type ConnectionInput,
  type SavedTarget,
  type SshHostInput,
  type TargetInput,
} from '../../../../hub/contract/index.ts'
import { isPushed } from './target-form.ts'

export const hostDefaults = sshHostSchema.parse({ host: 'x.example' })

/** What a form of a target holds. */
export interface TargetDraft {
  name: string
  target: TargetInput
  connection: ConnectionInput
}

export const blankDraft = (): TargetDraft => ({ name: '', target: { domain: '' }, connection: { host: '' } })

export const draftOf = ({ name, target, connection }: SavedTarget): TargetDraft => ({ name, target, connection })

/** Paths of the fields that are not as they must be. Without a host, the one that the domain names. */
export function connectionFaults(connection: ConnectionInput): ReadonlySet<string> {
  const result = connectionSchema.safeParse(connection)
  // A union tells of what all of its members miss at its own path.
  return new Set(result.success ? [] : result.error.issues.map(({ path }) => path.join('.')))
}

/**
 * Most servers answer SSH under the name that they answer HTTPS under. Where nothing is pushed, no form asks for the connection: one
 * that is not as it must be would keep the target from being saved without a word.
 */
export function completed({ name, target, connection }: TargetDraft): TargetDraft {
  const host = { host: target.domain }
  const useless = !isPushed(target) && connectionFaults(connection).size > 0
  return {
    name: name === '' ? target.domain : name,
    target,
    connection: useless ? host : connection.host === '' ? { ...connection, ...host } : connection,
  }
}

/** As `ssh` takes it: `root@hub.example.com:2222`. */
export function sshAddress({ user, host, port }: SshHostInput): string {
  const shown = host.includes(':') ? `[${host}]` : host
  return `${user ?? hostDefaults.user}@${shown}${(port ?? hostDefaults.port) === hostDefaults.port ? '' : `:${port}`}`
}
