import { homedir } from 'node:os'
import { isRemote, type Fault, type ServerConfig } from '../contract/index.ts'

const REFERENCE = /\$\{([^}]*)\}/g

export interface ReferenceSources {
  env: (name: string) => string | undefined
  secret: (name: string) => string | undefined
}

export interface ResolvedServer {
  command: string | null
  args: string[]
  env: Record<string, string>
  cwd: string | undefined
  url: string | null
  headers: Record<string, string>
}

/**
 * Puts values in place of `${env:NAME}`, `${secret:NAME}` and `${home}`. A plain `${NAME}` reads the environment, as other
 * clients have it. Nothing is ever passed on unresolved: each missing value is a fault with its cure.
 */
export function resolveReferences(
  config: ServerConfig,
  sources: ReferenceSources,
): { resolved: ResolvedServer; faults: Fault[] } {
  const faults: Fault[] = []

  function resolve(text: string, path: string): string {
    return text.replace(REFERENCE, (whole, inner: string) => {
      const value = lookUp(inner, sources)
      if (value !== undefined) return value
      const isSecret = inner.startsWith('secret:')
      const label = inner.replace(/^(env|secret):/, '')
      faults.push({
        file: null,
        path,
        line: null,
        column: null,
        message: isSecret ? `The secret ${label} is not set` : `${whole} has no value`,
        cure: isSecret
          ? `Set the secret ${label} in the vault; on a server set the environment variable ${label}.`
          : `Set the environment variable ${label} for the hub, or write the value.`,
      })
      return ''
    })
  }

  const record = (values: Record<string, string> | undefined, path: string): Record<string, string> =>
    Object.fromEntries(Object.entries(values ?? {}).map(([key, value]) => [key, resolve(value, `${path}.${key}`)]))

  const resolved: ResolvedServer = isRemote(config)
    ? {
        command: null,
        args: [],
        env: {},
        cwd: undefined,
        url: resolve(config.url, 'url'),
        headers: record(config.headers, 'headers'),
      }
    : {
        command: resolve(config.command, 'command'),
        args: (config.args ?? []).map((arg, index) => resolve(arg, `args[${index}]`)),
        env: record(config.env, 'env'),
        cwd: config.cwd === undefined ? undefined : resolve(config.cwd, 'cwd'),
        url: null,
        headers: {},
      }
  return { resolved, faults }
}

function lookUp(inner: string, sources: ReferenceSources): string | undefined {
  if (inner === 'home' || inner === 'userHome') return homedir()
  if (inner.startsWith('secret:')) return sources.secret(inner.slice('secret:'.length))
  return sources.env(inner.startsWith('env:') ? inner.slice('env:'.length) : inner)
}

/** The names of the secrets that an entry refers to. */
export function secretNames(config: ServerConfig): string[] {
  return [...JSON.stringify(config).matchAll(/\$\{secret:([^}]*)\}/g)].map((match) => match[1] ?? '')
}
