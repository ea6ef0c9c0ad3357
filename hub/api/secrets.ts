import {
  deleteSecretQuerySchema,
  secretNameSchema,
  setSecretSchema,
  type Secrets,
  type SetSecretResult,
} from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { saidOfIssue, say } from '../say.ts'
import type { SecretKeeper } from '../secrets/keeper.ts'
import type { SecretVault } from '../secrets/vault.ts'
import { bodyOf, nameParam, queryOf, type On } from './routes.ts'

/** `/api/secrets`: names, what uses them, and new values. No answer ever holds a value. */
export function secretRoutes(
  on: On,
  options: {
    vault: SecretVault
    keeper: SecretKeeper
  },
): void {
  on('GET /api/secrets', (_request, response) => {
    const answer: Secrets = {
      quality: options.vault.quality,
      location: options.vault.location,
      secrets: options.keeper.entries(),
    }
    response.json(answer)
  })

  on('PUT /api/secrets/:name', async (request, response) => {
    const name = secretNameSchema.safeParse(nameParam(request))
    if (!name.success)
      throw new HubError('HUB_BAD_REQUEST', saidOfIssue(name.error.issues[0] ?? { message: 'The name is not valid' }), {
        cure: say`Choose another name.`,
      })
    const { value } = bodyOf(request, setSecretSchema)
    if (/^\$\{[^}]*\}$/.test(value))
      throw new HubError('HUB_BAD_REQUEST', say`The value is only a reference to another value`, {
        cure: say`Give the value itself, or let the server refer to the other secret.`,
      })
    const created = options.vault.sourceOf(name.data) === 'missing'
    const restarted = options.vault.get(name.data) === value ? [] : options.keeper.usersOf(name.data)
    await options.vault.set(name.data, value)
    const answer: SetSecretResult = { name: name.data, created, restarted }
    response.status(created ? 201 : 200).json(answer)
  })

  on('DELETE /api/secrets/:name', async (request, response) => {
    const name = nameParam(request)
    const entry = options.keeper.entries().find((candidate) => candidate.name === name)
    if (entry === undefined || entry.source === 'missing')
      throw new HubError('HUB_SECRET_NOT_FOUND', say`The vault has no secret named ${name}`)
    if (entry.usedBy.length > 0 && queryOf(request, deleteSecretQuerySchema).force !== 'true')
      throw new HubError(
        'HUB_SECRET_IN_USE',
        say`${entry.usedBy.map(({ server }) => server).join(', ')} would not start without the secret ${name}`,
        { cure: say`Change those servers first, or delete it all the same with ?force=true.` },
      )
    if (entry.usedBySettings.length > 0 && queryOf(request, deleteSecretQuerySchema).force !== 'true')
      throw new HubError(
        'HUB_SECRET_IN_USE',
        say`system.json refers to the secret ${name}, and the hub would not start without it`,
        {
          cure: say`Change that setting first, or delete it all the same with ?force=true.`,
        },
      )
    await options.vault.delete(name)
    response.status(204).end()
  })
}
