import {
  isRemote,
  type Fault,
  type OAuthOptions,
  type RemoteHubOptions,
  type ServerConfig,
  type TlsOptions,
} from '../contract/index.ts'
import { interpolate, referencesInText, type Reference, type Sources, type Used } from './interpolate.ts'

export type ReferenceSources = Sources

export interface ResolvedServer {
  command: string | null
  args: string[]
  env: Record<string, string>
  cwd: string | undefined
  url: string | null
  headers: Record<string, string>
  /** How a remote server is reached and signed in to; empty for others. */
  remote: { proxy?: string; tls?: TlsOptions; oauth?: OAuthOptions; allowPrivateAddresses?: boolean }
}

/** Puts values in place of the references of an entry; each missing value is a fault with its place. */
export function resolveReferences(
  config: ServerConfig,
  sources: ReferenceSources,
): { resolved: ResolvedServer; faults: Fault[]; used: (Used & { path: string })[] } {
  const faults: Fault[] = []
  const used: (Used & { path: string })[] = []

  function resolve(text: string, path: string): string {
    const result = interpolate(text, sources)
    for (const problem of result.problems) faults.push({ file: null, path, line: null, column: null, ...problem })
    for (const reference of result.used) used.push({ ...reference, path })
    return result.text
  }

  return { resolved: mapTexts(config, resolve), faults, used }
}

/** Every reference of an entry and where it stands, without looking it up. */
export function referencesIn(config: ServerConfig): (Reference & { path: string })[] {
  const found: (Reference & { path: string })[] = []
  mapTexts(config, (text, path) => {
    for (const reference of referencesInText(text)) found.push({ ...reference, path })
    return text
  })
  return found
}

/** The parts of an entry that may hold references, each changed by `change`. */
function mapTexts(config: ServerConfig, change: (text: string, path: string) => string): ResolvedServer {
  const record = (values: Record<string, string | undefined> | undefined, path: string): Record<string, string> =>
    Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, change(value ?? '', `${path}.${key}`)]))
  if (isRemote(config))
    return {
      command: null,
      args: [],
      env: {},
      cwd: undefined,
      url: change(config.url, 'url'),
      headers: record(config.headers, 'headers'),
      remote: mapRemote(config.hub, change, record),
    }
  return {
    command: change(config.command, 'command'),
    args: (config.args ?? []).map((arg, index) => change(arg, `args[${index}]`)),
    env: record(config.env, 'env'),
    cwd: config.cwd === undefined ? undefined : change(config.cwd, 'cwd'),
    url: null,
    headers: {},
    remote: {},
  }
}

function mapRemote(
  options: RemoteHubOptions = {},
  change: (text: string, path: string) => string,
  record: (values: Record<string, string | undefined>, path: string) => Record<string, string>,
): ResolvedServer['remote'] {
  const { proxy, tls, oauth, allowPrivateAddresses } = options
  const { clientId, clientSecret } = oauth ?? {}
  return {
    ...(proxy === undefined ? {} : { proxy: change(proxy, 'hub.proxy') }),
    ...(allowPrivateAddresses === undefined ? {} : { allowPrivateAddresses }),
    ...(tls === undefined ? {} : { tls: record(tls, 'hub.tls') }),
    ...(oauth === undefined
      ? {}
      : {
          oauth: {
            ...oauth,
            ...(clientId === undefined ? {} : { clientId: change(clientId, 'hub.oauth.clientId') }),
            ...(clientSecret === undefined ? {} : { clientSecret: change(clientSecret, 'hub.oauth.clientSecret') }),
          },
        }),
  }
}
