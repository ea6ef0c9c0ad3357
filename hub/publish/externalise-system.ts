import type { SystemFile } from '../contract/index.ts'
import type { Need } from './externalise.ts'
import { reservedNames } from './variables.ts'

const SECRET_REFERENCE = /\$\{secret:([A-Za-z_]\w*)\}/g

/**
 * system.json with a reference in the place of each secret of `monitoring`, what the target must provide for it, and the values
 * that are written in the clear here, which no file of a bundle may hold. The keys of `auth` are left out by `systemForTarget`.
 */
export function externaliseSystem(system: SystemFile): { system: SystemFile; needs: Need[]; values: string[] } {
  const { auth, monitoring } = system
  const values = [auth?.jwtSecret, auth?.jwtSecretPrevious, monitoring?.sentryDsn].filter(
    (value): value is string => value !== undefined && !value.includes('${'),
  )
  if (monitoring === undefined) return { system, needs: [], values }
  // Its own variable sets it on the target.
  const { sentryDsn: _sentryDsn, webhooks, ...rest } = monitoring
  const needs = new Map<string, string>()
  const lifted = Object.entries(webhooks ?? {}).map(([id, hook]) => {
    const written = hook.secret.includes('${')
    if (!written) values.push(hook.secret)
    const secret = written ? hook.secret : `\${secret:WEBHOOK_${id.toUpperCase().replaceAll('-', '_')}_SECRET}`
    const lines = { ...hook, secret }
    for (const [, name = ''] of JSON.stringify(lines).matchAll(SECRET_REFERENCE))
      if (!reservedNames.has(name)) needs.set(name, `system.json: webhook ${id}`)
    return [id, lines] as const
  })
  return {
    system: {
      ...system,
      monitoring: { ...rest, ...(webhooks === undefined ? {} : { webhooks: Object.fromEntries(lifted) }) },
    },
    needs: [...needs].map(([name, usedBy]) => ({ name, usedBy, generated: false })),
    values,
  }
}
