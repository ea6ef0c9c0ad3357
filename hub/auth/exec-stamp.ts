import { isRemote, type ServerConfig } from '../contract/index.ts'

/** What decides which program an entry runs, and how. The environment with its values: `NODE_OPTIONS` alone runs code. */
export function execStamp(config: ServerConfig): string {
  if (isRemote(config)) return ''
  const { command, args = [], env = {}, cwd = null, envFile = null } = config
  return JSON.stringify([command, args, Object.entries(env).sort(), cwd, envFile])
}
