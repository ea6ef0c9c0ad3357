import { createdKeySchema, enrolDeployKeySchema } from '../contract/index.ts'
import { CommandError, exitCodes, requireOption, UsageError, type Command } from './command.ts'
import { writeKeyFile } from './deploy-key-file.ts'
import { askHub, hubUrl, problemOf } from './hub-client.ts'
import { withIdentity } from './open-identity.ts'
import { readLine } from './read-password.ts'
import { folderOptions } from './setting-options.ts'

export const deployKeyEnrolCommand: Command = {
  name: 'deploy-key enrol',
  summary: 'At the hub: print a code, good once and for 15 minutes, that another computer exchanges for a deploy key.',
  options: {
    name: { type: 'string', value: 'NAME', help: 'whose key it will be, e.g. ci' },
    days: { type: 'string', value: 'N', help: 'how long the key is good (default 90, at most 365)' },
    programs: { type: 'boolean', help: 'it may change which programs run (servers:exec)' },
    ...folderOptions,
  },
  run: (values, io) =>
    withIdentity(values, io, async ({ keys, operator }) => {
      const wanted = enrolDeployKeySchema.safeParse({
        name: requireOption(values, 'name'),
        ...(values['days'] === undefined ? {} : { days: Number(values['days']) }),
        programs: values['programs'] === true,
      })
      if (!wanted.success) throw new UsageError('--days is a number from 1 to 365, --name at most 100 characters.')
      const { id, code, expiresAt } = await keys.invite(operator, wanted.data)
      io.err(
        `On the other computer: mcp-hub config enrol --hub URL --key-file FILE\nKey ${id}; the code, good once and until ${new Date(expiresAt).toISOString()}:\n`,
      )
      io.out(`${code}\n`)
      return exitCodes.ok
    }),
}

export const configEnrolCommand: Command = {
  name: 'config enrol',
  summary: 'Exchange the code of a hub for a key that pushes configurations to it. The code is read from stdin.',
  options: {
    hub: { type: 'string', value: 'URL', help: 'the hub that made the code' },
    'key-file': { type: 'string', value: 'FILE', help: 'where the key is kept, readable to you only' },
    fingerprint: {
      type: 'string',
      value: 'SHA256',
      help: 'of the hub’s certificate, where this computer does not trust it',
    },
  },
  async run(values, io) {
    const base = hubUrl(requireOption(values, 'hub'))
    const file = requireOption(values, 'key-file')
    const fingerprint = typeof values['fingerprint'] === 'string' ? values['fingerprint'] : null
    const code = (await readLine(io, 'Code: ', 'code')).trim()
    const answer = await askHub({ base, key: code, fingerprint }, 'POST /api/admin/deploy-keys/enrol', io)
    if (answer.status !== 201) {
      const { detail, cure } = problemOf(answer)
      throw new CommandError(
        answer.status === 401 ? 'The code is not valid: it was used, ran out, or is of another hub.' : detail,
        answer.status === 401 ? 'Make another at the hub: mcp-hub deploy-key enrol --name NAME' : (cure ?? ''),
        exitCodes.noPermission,
      )
    }
    const { id, secret, expiresAt } = createdKeySchema.parse(answer.body)
    await writeKeyFile(file, { hub: base.href, key: secret, expiresAt, fingerprint })
    const end = expiresAt === null ? '' : `, good until ${new Date(expiresAt).toISOString()}`
    io.out(`Wrote the deploy key ${id} to ${file}${end}.\n`)
    return exitCodes.ok
  },
}
