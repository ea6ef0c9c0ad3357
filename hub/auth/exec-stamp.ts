import { isRemote, type ServerConfig } from '../contract/index.ts'

/** What decides which program an entry runs, and how. The environment with its values: `NODE_OPTIONS` alone runs code. */
export function execStamp(config: ServerConfig): string {
  if (isRemote(config)) return ''
  const { command, args = [], env = {}, cwd = null, envFile = null } = config
  return JSON.stringify([command, args, Object.entries(env).sort(), cwd, envFile])
}

/** The entries of `after` whose program is another than under their name in `before`. */
export function changedPrograms(
  before: Readonly<Record<string, ServerConfig>>,
  after: Readonly<Record<string, ServerConfig>>,
): [name: string, entry: ServerConfig][] {
  return Object.entries(after).filter(([name, entry]) => {
    const known = Object.hasOwn(before, name) ? before[name] : undefined
    return known === undefined || execStamp(known) !== execStamp(entry)
  })
}

/** Where in private networks an entry may lead the hub; empty for one that asks for no such thing. */
function networkStamp(config: ServerConfig): string {
  if (!isRemote(config)) return ''
  const { allowPrivateAddresses = false, proxy = null, oauth } = config.hub ?? {}
  const signIn = oauth?.allowPrivateAddresses ?? false
  return allowPrivateAddresses || signIn ? JSON.stringify([config.url, proxy, allowPrivateAddresses, signIn]) : ''
}

/** What a changed entry would have the hub do that only some may ask of it; null when it is nothing of that, or nothing new. */
export function reachOfChange(before: ServerConfig | null, after: ServerConfig): 'program' | 'private-network' | null {
  if (isRemote(after)) {
    const wanted = networkStamp(after)
    return wanted === '' || (before !== null && networkStamp(before) === wanted) ? null : 'private-network'
  }
  return before !== null && execStamp(before) === execStamp(after) ? null : 'program'
}
