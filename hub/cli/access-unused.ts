import { unusedGrants } from '../auth/unused-grants.ts'
import { exitCodes, UsageError, type Command } from './command.ts'
import { withIdentity } from './open-identity.ts'
import { folderOptions } from './setting-options.ts'
import { tableOf } from './table.ts'

export const accessUnusedCommand: Command = {
  name: 'access unused',
  summary: 'Users and API keys that nobody used for a while: who may be let go.',
  options: {
    days: { type: 'string', value: 'N', help: 'for so many days (default 90)' },
    json: { type: 'boolean', help: 'as JSON' },
    ...folderOptions,
  },
  run: (values, io) => {
    const days = values['days'] ?? '90'
    if (typeof days !== 'string' || !/^[1-9]\d{0,3}$/.test(days))
      throw new UsageError('--days is a number of days, at most 9999.')
    return withIdentity(values, io, async ({ users, keys, operator }) => {
      const found = unusedGrants(await users.list(), await keys.list(operator), Number(days), Date.now())
      const day = (at: number | null, none: string): string =>
        at === null ? none : new Date(at).toISOString().slice(0, 10)
      const rows = found.map((grant) => [
        grant.kind,
        grant.id,
        grant.kind === 'user'
          ? (grant.role ?? '-')
          : `${grant.name}${grant.owner === null ? '' : ` of ${grant.owner}`}`,
        grant.scope === null ? 'all' : Object.values(grant.scope).flat().join(','),
        day(grant.createdAt, '-'),
        day(grant.lastUsedAt, 'not known'),
      ])
      if (values['json'] === true) io.out(`${JSON.stringify(found, null, 2)}\n`)
      else if (found.length === 0) io.out(`Every user and key was used within ${days} days, or is newer.\n`)
      else io.out(tableOf(['KIND', 'ID', 'WHAT', 'SCOPE', 'MADE', 'LAST USED'], rows))
      return exitCodes.ok
    })
  },
}
