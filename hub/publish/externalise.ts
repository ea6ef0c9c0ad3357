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

const REFERENCE = /\$\{(?:env|secret):([^}]+)\}/g

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

  for (const config of Object.values(servers)) for (const [, name] of JSON.stringify(config).matchAll(REFERENCE)) names.take(name ?? '')

  const result: Record<string, ServerConfig> = {}
  for (const [server, config] of Object.entries(servers)) {
    const lift = (key: string, path: string, value: string): string => {
      for (const [, name = ''] of value.matchAll(REFERENCE)) need(name, `${server}: ${path}`)
      return splitSecrets(key, value)
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
    needs: [...needs].map(([name, users]) => ({ name, usedBy: [...users].join(', '), generated: false })).sort((a, b) => (a.name < b.name ? -1 : 1)),
    findings,
    values: [...values],
  }
}

type Lift = (key: string, path: string, value: string) => string

function liftEntry(config: ServerConfig, lift: Lift): ServerConfig {
  const entries = Object.entries(config).map(([key, value]): [string, unknown] =>
    key === 'args' && Array.isArray(value) ? [key, liftArguments(value as string[], lift)] : [key, liftValue(key, key, value, lift)],
  )
  return Object.fromEntries(entries) as ServerConfig
}

function liftValue(key: string, path: string, value: unknown, lift: Lift): unknown {
  if (typeof value === 'string') return lift(key, path, value)
  if (Array.isArray(value)) return value.map((item, index) => liftValue(key, `${path}.${index}`, item, lift))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, liftValue(name, `${path}.${name}`, item, lift)]))
  return value
}

/** An argument is named by the option before it (`--api-key`, `x`) or by itself (`--api-key=x`, `X-Api-Key: x`). */
function liftArguments(args: string[], lift: Lift): string[] {
  return args.map((arg, index) => {
    const path = `args.${index}`
    const assigned = /^(-{0,2}([A-Za-z][\w.-]*)(?:=|:\s*))(?!\/\/)(.+)$/s.exec(arg)
    if (assigned !== null) return `${assigned[1] ?? ''}${lift(assigned[2] ?? '', path, assigned[3] ?? '')}`
    const before = args[index - 1]
    return lift(before !== undefined && /^--?[A-Za-z]/.test(before) && !before.includes('=') ? before : '', path, arg)
  })
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
