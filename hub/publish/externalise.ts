import type { ServerConfig } from '../contract/index.ts'
import type { Finding } from '../contract/publish.ts'
import { splitSecrets } from '../config/secret-patterns.ts'
import { say, told } from '../say.ts'
import { changeTexts } from '../secrets/lift.ts'
import { createSecretNames } from '../secrets/names.ts'
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
  const needs = new Map<string, Set<string>>()
  const findings: Finding[] = []
  const lifted = new Set<string>()
  const values = new Set<string>()
  const need = (name: string, usedBy: string): void => {
    if (!reservedNames.has(name)) needs.set(name, (needs.get(name) ?? new Set()).add(usedBy))
  }

  const names = createSecretNames({
    taken: Object.values(servers).flatMap((config) =>
      [...JSON.stringify(config).matchAll(REFERENCE)].map(([, , name = '']) => name),
    ),
  })

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
          findings.push(
            told({
              severity: 'warning',
              code: 'inline-secret',
              server,
              path: `mcpServers.${server}.${path}`,
              message: say`A secret is written into the configuration. The bundle holds \${secret:${name}} in its place.`,
              cure: say`Give ${name} its value in .env on the target, and move it into the vault here as well.`,
            }),
          )
          return `\${secret:${name}}`
        })
        .join('')
    }
    result[server] = changeTexts(config, lift)
  }

  for (const [name, users] of needs)
    if (!lifted.has(name))
      findings.push(
        told({
          severity: 'info',
          code: 'needs-secret',
          server: null,
          path: name,
          message: say`${name} is referred to by ${[...users].join(', ')} and must have a value on the target.`,
          cure: say`Give ${name} its value in .env on the target.`,
        }),
      )

  return {
    servers: result,
    needs: [...needs]
      .map(([name, users]) => ({ name, usedBy: [...users].join(', '), generated: false }))
      .sort((a, b) => (a.name < b.name ? -1 : 1)),
    findings,
    values: [...values],
  }
}
