import {
  addServerSchema,
  dryRunSchema,
  editServerSchema,
  isEnabled,
  parsePasteSchema,
  type DryRunResult,
  type ServerConfig,
  type ServerDetail,
} from '../contract/index.ts'
import { parsePaste } from '../config/paste.ts'
import type { ConfigStore } from '../config/store.ts'
import { HubError } from '../hub-error.ts'
import type { Supervisor } from '../upstream/supervisor.ts'
import type { Upstream } from '../upstream/upstream.ts'
import { bodyOf, nameParam, type On } from './routes.ts'

const DRY_RUN_MS = 60_000

/** `/api/servers`: the configured servers. Whatever can make the hub run a program needs servers:exec. */
export function serverRoutes(
  on: On,
  options: { config: ConfigStore; supervisor: Supervisor; apply: () => Promise<void> },
): void {
  const { config, supervisor, apply } = options

  function upstreamOf(name: string): Upstream {
    const upstream = supervisor.upstreams.get(name)
    if (upstream === undefined) throw new HubError('HUB_SERVER_NOT_FOUND', `There is no server named ${name}`)
    return upstream
  }

  function detail(upstream: Upstream): ServerDetail {
    return {
      ...upstream.status(),
      config: upstream.config,
      capabilities: upstream.instance?.connection.hello.capabilities ?? null,
      history: upstream.history(),
    }
  }

  async function save(name: string, entry: ServerConfig | null, rename?: string): Promise<void> {
    await config.saveServer(name, entry, rename)
    await apply()
  }

  async function setEnabled(name: string, enabled: boolean): Promise<void> {
    const upstream = upstreamOf(name)
    if (isEnabled(upstream.config) === enabled) return
    const { disabled: _disabled, enabled: _enabled, ...rest } = upstream.config
    await save(name, { ...rest, hub: { ...upstream.config.hub, enabled } })
  }

  on('GET /api/servers', (_request, response) => {
    response.json([...supervisor.upstreams.values()].map((upstream) => upstream.status()))
  })

  on('POST /api/servers', async (request, response) => {
    const { name, config: entry } = bodyOf(request, addServerSchema)
    if (Object.hasOwn(config.servers.mcpServers, name))
      throw new HubError('HUB_SERVER_EXISTS', `There is already a server named ${name}`, {
        cure: 'Choose another name, or edit that one.',
      })
    await save(name, entry)
    response.status(201).json(detail(upstreamOf(name)))
  })

  on('POST /api/servers/parse', (request, response) => {
    const { text } = bodyOf(request, parsePasteSchema)
    response.json(parsePaste(text, Object.keys(config.servers.mcpServers)))
  })

  on('POST /api/servers/dry-run', async (request, response) => {
    const { name = 'trial', config: entry } = bodyOf(request, dryRunSchema)
    const startedAt = performance.now()
    const trial = supervisor.createTrial(name, { ...entry, hub: { ...entry.hub, enabled: true, maxStartAttempts: 1 } })
    // Whoever leaves the dialog ends the trial.
    response.once('close', () => void trial.stop())
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
    response.json(detail(upstreamOf(nameParam(request))))
  })

  on('PUT /api/servers/:name', async (request, response) => {
    const name = nameParam(request)
    const body = bodyOf(request, editServerSchema)
    upstreamOf(name)
    const rename = body.name ?? name
    if (rename !== name && Object.hasOwn(config.servers.mcpServers, rename))
      throw new HubError('HUB_SERVER_EXISTS', `There is already a server named ${rename}`)
    await save(name, body.config, rename)
    response.json(detail(upstreamOf(rename)))
  })

  on('DELETE /api/servers/:name', async (request, response) => {
    const upstream = upstreamOf(nameParam(request))
    await save(upstream.name, null)
    // What was removed, so that it can be brought back.
    response.json({ name: upstream.name, config: upstream.config })
  })

  on('POST /api/servers/:name/enable', async (request, response) => {
    await setEnabled(nameParam(request), true)
    response.json(detail(upstreamOf(nameParam(request))))
  })

  on('POST /api/servers/:name/disable', async (request, response) => {
    await setEnabled(nameParam(request), false)
    response.json(detail(upstreamOf(nameParam(request))))
  })

  on('POST /api/servers/:name/restart', async (request, response) => {
    const upstream = upstreamOf(nameParam(request))
    if (!isEnabled(upstream.config))
      throw new HubError('HUB_CONFLICT', `Server ${upstream.name} is disabled`, { cure: 'Enable it first.' })
    await upstream.restart()
    response.json(detail(upstream))
  })

  on('GET /api/servers/:name/logs', (request, response) => {
    response.json({ lines: upstreamOf(nameParam(request)).log.lines() })
  })
}
