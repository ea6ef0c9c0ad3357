import type { Fault } from '../contract/index.ts'
import { readSecretFile } from '../secrets/environment.ts'
import { settingEntries } from './settings.ts'

/** The hub's own variables that hold a secret. Each may be given as a file instead: `JWT_SECRET_FILE=/run/secrets/jwt`. */
const OWN_SECRETS = settingEntries.flatMap(([, { variable, secret }]) => (secret === true ? (variable ?? []) : []))

/**
 * The environment of the hub, with the content of each `…_FILE` in its place. The hub's own secrets are taken out of `env`:
 * no reference of a server finds them there any more, and no child inherits them.
 */
export function takeEnvironment(env: NodeJS.ProcessEnv): {
  values: Record<string, string>
  /** The values of the hub's own secrets. */
  secrets: string[]
  faults: Fault[]
} {
  // A variable that is set to nothing is meant as not set.
  const values = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  )
  const faults: Fault[] = []
  for (const name of OWN_SECRETS) {
    const file = values[`${name}_FILE`]
    if (file === undefined) continue
    const { value, problem } = readSecretFile(file)
    const message =
      values[name] === undefined ? problem : `${name} and ${name}_FILE are both set, and only one of them can count`
    if (message !== null)
      faults.push({
        file: null,
        path: `environment ${name}_FILE`,
        line: null,
        column: null,
        message,
        cure:
          values[name] === undefined ? 'Put the value into that file, and let the hub’s user read it.' : 'Unset one.',
      })
    else if (value !== undefined) values[name] = value
  }
  for (const name of OWN_SECRETS) {
    Reflect.deleteProperty(env, name)
    Reflect.deleteProperty(env, `${name}_FILE`)
  }
  return { values, secrets: OWN_SECRETS.flatMap((name) => values[name] ?? []), faults }
}
