import { serverPrefix, type ServerConfig } from '../contract/config.ts'
import type { Finding } from '../contract/publish.ts'
import { splitSecrets } from '../config/secret-patterns.ts'
import { reservedNames } from './variables.ts'

/** A value that the target must provide; `generated` ones are made there, the others a person fills in. */
export interface Need {
  name: string
  usedBy: string
  generated: boolean
}

export interface Externalised {
  /** The same servers with a reference in the place of each secret. */
  servers: Record<string, ServerConfig>
  needs: Need[]
  findings: Finding[]
  /** The secrets that were taken out. */
  values: string[]
}

/** As the hub reads them; `${home}` is not among them, because every system has one. */
const REFERENCE = /\$\{(env:|secret:|)(?!home\}|userHome\})([^}:]+)\}/g

/** Replaces every secret's value by a reference and lists what the target must provide. Never changes its input. */
export function externaliseSecrets(servers: Record<string, ServerConfig>): Externalised {
  const names = createNames()
  const needs = new Map<string, Set<string>>()
  const findings: Finding[] = []
  const lifted = new Set<string>()
  const values = new Set<string>()
  const need = (name: string, usedBy: string): void => {
    if (!reservedNames.has(name)) needs.set(name, (needs.get(name) ?? new Set()).add(usedBy))
  }

  for (const config of Object.values(servers))
    for (const [, , name = ''] of JSON.stringify(config).matchAll(REFERENCE)) names.take(name)

  const result: Record<string, ServerConfig> = {}
  for (const [server, config] of Object.entries(servers)) {
    const lift = (key: string, path: string, value: string): string => {
      const referring = value.replace(REFERENCE, (_, kind: string, name: string) => {
        // In the vault a name may be anything, in an environment file it may not.
        const valid =
          kind === 'secret:' && !/^[A-Za-z_]\w*$/.test(name) ? names.forSecret(server, name, `reference ${name}`) : name
        need(valid, `${server}: ${path}`)
        return `\${${kind}${valid}}`
      })
      return splitSecrets(key, referring)
        .map((segment) => {
          if (!segment.secret) return segment.text
          const name = names.forSecret(server, segment.name ?? key, segment.text)
          need(name, `${server}: ${path}`)
          lifted.add(name)
          values.add(segment.text)
          findings.push({
            severity: 'warning',
            code: 'inline-secret',
            server,
            path: `mcpServers.${server}.${path}`,
            message: `A secret is written into the configuration. The bundle holds \${secret:${name}} in its place.`,
            cure: `Give ${name} its value in .env on the target, and move it into the vault here as well.`,
          })
          return `\${secret:${name}}`
        })
        .join('')
    }
    result[server] = liftEntry(config, lift)
  }

  for (const [name, users] of needs)
    if (!lifted.has(name))
      findings.push({
        severity: 'info',
        code: 'needs-secret',
        server: null,
        path: name,
        message: `${name} is referred to by ${[...users].join(', ')} and must have a value on the target.`,
        cure: `Give ${name} its value in .env on the target.`,
      })

  return {
    servers: result,
    needs: [...needs]
      .map(([name, users]) => ({ name, usedBy: [...users].join(', '), generated: false }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    findings,
    values: [...values],
  }
}

type Lift = (key: string, path: string, value: string) => string

function liftEntry(config: ServerConfig, lift: Lift): ServerConfig {
  const entries = Object.entries(config).map(([key, value]): [string, unknown] =>
    key === 'args' && Array.isArray(value)
      ? [key, liftArguments(value as string[], lift)]
      : [key, liftValue(key, key, value, lift)],
  )
  return Object.fromEntries(entries) as ServerConfig
}

function liftValue(key: string, path: string, value: unknown, lift: Lift): unknown {
  if (typeof value === 'string') return lift(key, path, value)
  if (Array.isArray(value)) return value.map((item, index) => liftValue(key, `${path}.${index}`, item, lift))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, liftValue(name, `${path}.${name}`, item, lift)]),
    )
  return value
}

/** An argument is named by the option before it (`--api-key`, `x`) or by itself (`--api-key=x`, `--header=X-Api-Key: x`). */
function liftArguments(args: string[], lift: Lift): string[] {
  return args.map((arg, index) => {
    const before = args[index - 1]
    const option = before !== undefined && /^--?[A-Za-z]/.test(before) && !before.includes('=') ? before : ''
    return liftArgument(option, arg, (key, value) => lift(key, `args.${index}`, value))
  })
}

function liftArgument(option: string, arg: string, lift: (key: string, value: string) => string): string {
  // A URL has a colon too, but what comes before it names nothing.
  const [, head = '', name = '', value = ''] = /^(-{0,2}([A-Za-z][\w.-]*)(?:=|:(?!\/\/)\s*))(.+)$/s.exec(arg) ?? []
  return head === '' ? lift(option, arg) : `${head}${liftArgument(name, value, lift)}`
}

/** Names for the lifted values: stable, valid in an environment file, and never one of the hub's own. */
function createNames(): { take(name: string): void; forSecret(server: string, key: string, value: string): string } {
  const taken = new Map<string, string | null>([...reservedNames].map((name) => [name, null]))
  return {
    take: (name) => void taken.set(name, null),
    forSecret: (server, key, value) => {
      const prefix = environmentName(serverPrefix(server))
      const own = environmentName(key) || 'SECRET'
      const base = own === prefix || own.startsWith(`${prefix}_`) ? own : `${prefix}_${own}`
      for (let n = 1; ; n++) {
        const name = environmentName(n === 1 ? base : `${base}_${n}`)
        if (taken.has(name) && taken.get(name) !== value) continue
        taken.set(name, value)
        return name
      }
    },
  }
}

function environmentName(text: string): string {
  const name = text
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toUpperCase()
    .replace(/[^A-Z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
  return /^\d/.test(name) ? `_${name}` : name
}
