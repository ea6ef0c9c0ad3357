import type { Request, Response } from 'express'
import { may } from '../auth/caller.ts'
import type { ExecConsents } from '../auth/exec-consents.ts'
import { execStamp } from '../auth/exec-stamp.ts'
import { serverInScope } from '../auth/scope.ts'
import {
  addServerSchema,
  agreeSchema,
  dryRunSchema,
  editServerSchema,
  findSecretsSchema,
  isEnabled,
  logsQuerySchema,
  parsePasteSchema,
  type DryRunResult,
  type FoundSecrets,
  type ServerConfig,
  type ServerDetail,
} from '../contract/index.ts'
import { parsePaste } from '../config/paste.ts'
import { entityTag } from '../config/entity-tag.ts'
import type { Change, ConfigStore } from '../config/store.ts'
import { HubError } from '../hub-error.ts'
import type { Redactor } from '../observe/redactor.ts'
import { say } from '../say.ts'
import { clearSecrets } from '../secrets/lift.ts'
import type { SecretLifter } from '../secrets/lifter.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { ExecCheck } from './exec-check.ts'
import { bodyOf, callerOf, changeBy, nameParam, queryOf, verbatim, type On } from './routes.ts'

const DRY_RUN_MS = 60_000

const serverNotFound = (name: string): HubError =>
  new HubError('HUB_SERVER_NOT_FOUND', say`There is no server named ${name}`)

/** `/api/servers`: the configured servers. Whatever can make the hub run a program needs servers:exec. */
export function serverRoutes(
  on: On,
  options: {
    config: ConfigStore
    supervisor: Supervisor
    lifter: SecretLifter
    redactor: Redactor
    apply: () => Promise<void>
    checkExec: ExecCheck
    consents: ExecConsents
    /**
     * An entry has another name; its account, what was decided of its tools and what was saved of it go with it. Never rejects:
     * what cannot go is told in the log.
     */
    renamed: (from: string, to: string) => Promise<void>
    profilesChanged: () => void
  },
): void {
  const { config, supervisor, lifter, redactor, apply, checkExec, consents } = options

  /** What is beyond the caller's scope is not there for them. */
  function upstreamOf(request: Request, name = nameParam(request)): Upstream {
    const upstream = supervisor.upstreams.get(name)
    if (upstream === undefined || !serverInScope(callerOf(request).scopes, name)) throw serverNotFound(name)
    return upstream
  }

  /** Who may change the entry gets it as it is: what they save is what they were given. */
  function sendDetail(request: Request, response: Response, upstream: Upstream): void {
    const detail: ServerDetail = {
      ...redactor.value({
        ...upstream.status(),
        capabilities: upstream.hello?.capabilities ?? null,
        history: upstream.history(),
      }),
      config: upstream.config,
      etag: entityTag(upstream.config),
    }
    if (may(callerOf(request), 'servers:write')) verbatim(response)
    response.set('etag', detail.etag).json(detail)
  }

  async function save(name: string, entry: Parameters<ConfigStore['saveServer']>[1], change: Change): Promise<void> {
    await config.saveServer(name, entry, change)
    await saved(name, change)
  }

  async function saved(name: string, { rename = name }: Change): Promise<void> {
    if (rename === name) return apply()
    await options.renamed(name, rename)
    await apply()
    options.profilesChanged()
  }

  /** Like `save`, with the secrets that somebody wrote into the entry in the vault. */
  async function saveLifted(
    name: string,
    entry: ServerConfig,
    inClear: readonly string[] | undefined,
    change: Change,
    before: ServerConfig | null,
  ): Promise<void> {
    const lifted = lifter.find(name, entry, inClear)
    await lifter.keep(lifted.secrets, async () => {
      // Who enters a program agrees to it; who leaves one as it is, which somebody else put there, does not.
      if (before === null || execStamp(before) !== execStamp(entry) || consents.agreed(before))
        await consents.agree(change.rename ?? name, lifted.config)
      await config.saveServer(name, lifted.config, change)
    })
    // What fails from here on takes no secret back: the entry that refers to it is saved.
    await saved(name, change)
  }

  async function setEnabled(request: Request, enabled: boolean): Promise<void> {
    const upstream = upstreamOf(request)
    if (isEnabled(upstream.config) === enabled) return
    const entry = (present: ServerConfig | null): ServerConfig => {
      if (present === null) throw serverNotFound(upstream.name)
      const { disabled: _disabled, enabled: _enabled, ...rest } = present
      return { ...rest, hub: { ...present.hub, enabled } }
    }
    await save(upstream.name, entry, changeBy(request))
  }

  on('GET /api/servers', (request, response) => {
    const { scopes } = callerOf(request)
    const seen = [...supervisor.upstreams.values()].filter((upstream) => serverInScope(scopes, upstream.name))
    response.json(seen.map((upstream) => upstream.status()))
  })

  on('POST /api/servers', async (request, response) => {
    const { name, config: entry, inClear } = bodyOf(request, addServerSchema)
    if (Object.hasOwn(config.servers.mcpServers, name))
      throw new HubError('HUB_SERVER_EXISTS', say`There is already a server named ${name}`, {
        cure: say`Choose another name, or edit that one.`,
      })
    checkExec(request, null, entry)
    await saveLifted(name, entry, inClear, changeBy(request), null)
    sendDetail(request, response.status(201), upstreamOf(request, name))
  })

  on('POST /api/servers/parse', (request, response) => {
    const { text } = bodyOf(request, parsePasteSchema)
    const existing = Object.keys(config.servers.mcpServers)
    verbatim(response).json(parsePaste(text, existing, (name, entry) => lifter.find(name, entry).texts))
  })

  on('POST /api/servers/secrets', (request, response) => {
    const { name, config: entry, inClear } = bodyOf(request, findSecretsSchema)
    const answer: FoundSecrets = {
      secrets: lifter.find(name, entry).texts,
      config: lifter.find(name, entry, inClear).config,
    }
    verbatim(response).json(answer)
  })

  on('POST /api/servers/dry-run', async (request, response) => {
    const { name = 'trial', config: entry } = bodyOf(request, dryRunSchema)
    checkExec(request, null, entry)
    const startedAt = performance.now()
    const trialId = `trial ${startedAt}`
    redactor.know(trialId, clearSecrets(entry))
    const trial = supervisor.createTrial(name, { ...entry, hub: { ...entry.hub, enabled: true, maxStartAttempts: 1 } })
    // Whoever leaves the dialog ends the trial.
    response.once('close', () => {
      void trial.stop().finally(() => redactor.know(trialId, []))
    })
    trial.start()
    await trial.settled(DRY_RUN_MS)
    const { lists } = trial.catalog
    const status = trial.status()
    const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
    const result: DryRunResult = {
      ok: status.state === 'running',
      durationMs: Math.round(performance.now() - startedAt),
      reason: status.reason,
      stderr: trial.log
        .lines()
        .filter((line) => line.stream === 'stderr')
        .slice(-50)
        .map((line) => line.text),
      status,
      tools: lists.tools.map((tool) => ({ name: String(tool['name']), description: text(tool['description']) })),
      prompts: lists.prompts.map((prompt) => String(prompt['name'])),
      resources: lists.resources.map((resource) => String(resource['uri'])),
    }
    if (!response.writableEnded) response.json(result)
  })

  on('GET /api/servers/:name', (request, response) => {
    sendDetail(request, response, upstreamOf(request))
  })

  on('PUT /api/servers/:name', async (request, response) => {
    const name = nameParam(request)
    const body = bodyOf(request, editServerSchema)
    const rename = body.name ?? name
    if (rename !== name && Object.hasOwn(config.servers.mcpServers, rename))
      throw new HubError('HUB_SERVER_EXISTS', say`There is already a server named ${rename}`)
    const before = upstreamOf(request, name).config
    checkExec(request, before, body.config)
    await saveLifted(name, body.config, body.inClear, changeBy(request, rename), before)
    sendDetail(request, response, upstreamOf(request, rename))
  })

  on('DELETE /api/servers/:name', async (request, response) => {
    const upstream = upstreamOf(request)
    await save(upstream.name, null, changeBy(request))
    // What was removed, so that it can be brought back.
    verbatim(response).json({ name: upstream.name, config: upstream.config })
  })

  on('POST /api/servers/:name/enable', async (request, response) => {
    await setEnabled(request, true)
    sendDetail(request, response, upstreamOf(request))
  })

  on('POST /api/servers/:name/disable', async (request, response) => {
    await setEnabled(request, false)
    sendDetail(request, response, upstreamOf(request))
  })

  on('POST /api/servers/:name/restart', async (request, response) => {
    const upstream = upstreamOf(request)
    if (!isEnabled(upstream.config))
      throw new HubError('HUB_CONFLICT', say`Server ${upstream.name} is disabled`, { cure: say`Enable it first.` })
    await upstream.restart()
    sendDetail(request, response, upstream)
  })

  on('GET /api/servers/:name/consent', (request, response) => {
    const { name, config: entry } = upstreamOf(request)
    // It is shown whole, as what it is about to be decided on.
    verbatim(response).json(consents.question(name, entry))
  })

  on('POST /api/servers/:name/consent', async (request, response) => {
    const upstream = upstreamOf(request)
    const { stamp } = bodyOf(request, agreeSchema)
    if (consents.question(upstream.name, upstream.config).stamp !== stamp)
      throw new HubError('HUB_CONFLICT', say`The program of ${upstream.name} was changed again in the meantime`, {
        cure: say`Look at the command as it is now.`,
      })
    await consents.agree(upstream.name, upstream.config)
    if (isEnabled(upstream.config)) await upstream.restart()
    sendDetail(request, response, upstream)
  })

  on('GET /api/servers/:name/logs', async (request, response) => {
    const query = queryOf(request, logsQuerySchema)
    response.json(await upstreamOf(request).log.query(query))
  })
}
