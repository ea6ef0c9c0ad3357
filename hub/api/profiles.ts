import type { Pins } from '../catalog/pins.ts'
import { previewOfServer, previewProfile } from '../catalog/preview.ts'
import { loadTokenizer } from '../catalog/token-cost.ts'
import { entityTag } from '../config/entity-tag.ts'
import type { ConfigStore } from '../config/store.ts'
import {
  profilePreviewQuerySchema,
  profileSchema,
  saveProfileSchema,
  serverNameSchema,
  serverPrefix,
  type Profile,
  type ProfilePreview,
  type ProfileSummary,
} from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { saidOfIssue, say } from '../say.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import { bodyOf, changeBy, nameParam, queryOf, type On } from './routes.ts'

/** `/api/profiles`: named sets of servers and tools, each with an endpoint of its own. */
export function profileRoutes(
  on: On,
  options: {
    config: ConfigStore
    supervisor: Supervisor
    pins: Pins
    /** Clients are told, and the page. */
    changed: () => void
  },
): void {
  const { config, supervisor, pins } = options

  function profileOf(name: string): Profile {
    const { profiles } = config.profiles
    const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined
    if (profile === undefined) throw new HubError('HUB_PROFILE_NOT_FOUND', say`There is no profile named ${name}`)
    return profile
  }

  async function preview(profile: Profile): Promise<ProfilePreview> {
    const offers = [...supervisor.upstreams.values()].filter((upstream) => upstream.status().state !== 'disabled')
    return previewProfile(profile, offers, pins.admits, await loadTokenizer())
  }

  async function summary(name: string): Promise<ProfileSummary> {
    const profile = profileOf(name)
    const { tools, prompts, resources, tokens, tokensOfAll } = await preview(profile)
    const servers = new Set([...tools, ...prompts, ...resources].map(({ server }) => server))
    for (const server of Object.keys(profile.servers)) servers.add(server)
    return {
      name,
      endpointPath: `/mcp/${encodeURIComponent(name)}`,
      config: profile,
      etag: entityTag(profile),
      counts: { servers: servers.size, tools: tools.length, prompts: prompts.length, resources: resources.length },
      tokens,
      tokensOfAll,
    }
  }

  /** A profile's endpoint must not hide a server's, nor two items share a name. */
  async function check(name: string, profile: Profile): Promise<void> {
    const rival = [...supervisor.upstreams.values()].find(
      (upstream) => upstream.name === name || upstream.prefix === serverPrefix(name),
    )
    if (rival !== undefined)
      throw new HubError('HUB_NAME_COLLISION', say`The server ${rival.name} has the endpoint /mcp/${name} already`, {
        cure: say`Give the profile another name.`,
      })
    const [collision] = (await preview(profile)).collisions
    if (collision !== undefined)
      throw new HubError(
        'HUB_NAME_COLLISION',
        say`${collision.items.join(' and ')} would both be named ${collision.exposedName}`,
        { cure: say`Rename one of them, or leave one out.` },
      )
  }

  on('GET /api/profiles', async (_request, response) => {
    response.json(await Promise.all(Object.keys(config.profiles.profiles).map(summary)))
  })

  on('POST /api/profiles/preview', async (request, response) => {
    const { server } = queryOf(request, profilePreviewQuerySchema)
    const whole = await preview(bodyOf(request, profileSchema))
    response.json(server === undefined ? whole : previewOfServer(whole, server))
  })

  on('GET /api/profiles/:name', async (request, response) => {
    const name = nameParam(request)
    response.set('etag', entityTag(profileOf(name))).json(await summary(name))
  })

  on('GET /api/profiles/:name/preview', async (request, response) => {
    response.json(await preview(profileOf(nameParam(request))))
  })

  on('PUT /api/profiles/:name', async (request, response) => {
    const name = nameParam(request)
    const { name: rename = name, config: profile } = bodyOf(request, saveProfileSchema)
    const named = serverNameSchema.safeParse(rename)
    if (!named.success)
      throw new HubError(
        'HUB_BAD_REQUEST',
        say`name: ${saidOfIssue(named.error.issues[0] ?? { message: 'is not valid' })}`,
      )
    const exists = Object.hasOwn(config.profiles.profiles, name)
    if (rename !== name && (!exists || Object.hasOwn(config.profiles.profiles, rename)))
      throw exists
        ? new HubError('HUB_CONFLICT', say`There is a profile named ${rename} already`, {
            cure: say`Choose another name.`,
          })
        : new HubError('HUB_PROFILE_NOT_FOUND', say`There is no profile named ${name}`)
    await check(rename, profile)
    await config.saveProfile(name, profile, changeBy(request, rename))
    options.changed()
    response.set('etag', entityTag(profileOf(rename)))
    response.status(exists ? 200 : 201).json(await summary(rename))
  })

  on('DELETE /api/profiles/:name', async (request, response) => {
    const name = nameParam(request)
    profileOf(name)
    await config.saveProfile(name, null, changeBy(request))
    options.changed()
    response.status(204).end()
  })
}
