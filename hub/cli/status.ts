import path from 'node:path'
import { openFiles } from '../config/documents.ts'
import { givenFolder, givenText, systemOverrides } from '../config/read-settings.ts'
import { defaultOf, fixedDefault } from '../config/settings.ts'
import { openConfigStore } from '../config/store.ts'
import type { HubStatus, Problem, ServerState, ServerStatus } from '../contract/index.ts'
import { describeFault, EXIT_TEMPORARY } from '../faults.ts'
import { CommandError, exitCodes, type Command, type Io, type Values } from './command.ts'
import { fixedDocuments } from './fixed-documents.ts'
import { settingOptions } from './setting-options.ts'
import { settingsHere, sourcesHere } from './settings-here.ts'
import { askUrl, tokenOf, urlOf, urlOptions } from './url-client.ts'

/** What calls of a server fail in. */
const BROKEN: readonly ServerState[] = ['failed', 'backoff', 'needs-auth']

/** `mcp-hub status --json`. */
export interface StatusReport {
  url: string
  running: boolean
  /** False while it starts or ends, or what it needs is away; `reason` says which. */
  ready: boolean
  reason: string | null
  /** Null without a token. */
  hub: HubStatus | null
  /** How many servers are in each state; null without a token. */
  servers: Partial<Record<ServerState, number>> | null
  broken: Pick<ServerStatus, 'name' | 'state' | 'reason'>[]
}

export const statusCommand: Command = {
  name: 'status',
  summary: 'Whether a hub runs here or at --url, its version and its servers; the exit code says it to scripts.',
  options: {
    ...settingOptions,
    ...urlOptions,
    json: { type: 'boolean', help: 'print it as JSON' },
  },
  async run(values, io) {
    const base = typeof values['url'] === 'string' ? urlOf(values['url']) : await hubHere(values, io)
    const report = await statusOf(base, tokenOf(values, io), io)
    io.out(values['json'] === true ? `${JSON.stringify(report, null, 2)}\n` : describe(report))
    if (!report.running) return exitCodes.unavailable
    if (!report.ready) return EXIT_TEMPORARY
    const faults = report.hub?.configFaults.length ?? 0
    return report.broken.length + faults === 0 ? exitCodes.ok : exitCodes.differs
  },
}

/** Where a hub with this command line and environment listens. */
async function hubHere(options: Values, io: Io): Promise<URL> {
  const { given, values } = settingsHere(options, io)
  const database = givenText(given, 'DATABASE_URL')
  const shared =
    database === undefined ? null : await (await import('../config/postgres-documents.ts')).lookIntoPostgres(database)
  const documents =
    shared === null ? await openFiles(path.resolve(givenFolder(given, 'CONFIG_DIR'))) : fixedDocuments(shared)
  const { sources, dispose } = await sourcesHere(given, values)
  const store = await openConfigStore(documents, sources, systemOverrides(given)).finally(dispose)
  await store.dispose()
  const { port, host = fixedDefault('server.host') } = store.system.server ?? {}
  if (port === undefined && store.faults.length > 0)
    throw new CommandError(
      store.faults.map(describeFault).join('\n'),
      'So it is not known where the hub listens: name it with --url.',
      exitCodes.config,
    )
  if (port === 0) throw new CommandError('The hub takes a free port (PORT=0).', 'Name it with --url.', exitCodes.usage)
  const name = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '[::1]' : host.includes(':') ? `[${host}]` : host
  return new URL(`http://${name}:${port ?? defaultOf('server.port', { mode: 'server', production: false })}`)
}

async function statusOf(base: URL, token: string | null, io: Io): Promise<StatusReport> {
  const url = base.origin
  const report: StatusReport = { url, running: false, ready: false, reason: null, hub: null, servers: null, broken: [] }
  const health = await askUrl(base, null, 'GET /health/ready', io).catch((error: unknown) => {
    if (error instanceof CommandError) return error
    throw error
  })
  if (health instanceof CommandError) return { ...report, reason: health.message }
  const { status, reason } = (health.body ?? {}) as { status?: string; reason?: string }
  if (status === undefined) return { ...report, reason: `What answers at ${url} is no hub` }
  const ready = health.status === 200
  const running = { ...report, running: true, ready, reason: ready ? null : (reason ?? status) }
  if (token === null) return running
  const ask = async (route: string): Promise<unknown> => {
    const { status: code, body } = await askUrl(base, token, route, io)
    if (code < 400) return body
    const { detail, cure } = (body ?? {}) as Partial<Problem>
    throw new CommandError(
      detail ?? `${url} answered ${code}.`,
      cure ?? 'Check the token.',
      code === 401 || code === 403 ? exitCodes.noPermission : exitCodes.unavailable,
    )
  }
  const hub = (await ask('GET /api/hub')) as HubStatus
  const all = (await ask('GET /api/servers')) as ServerStatus[]
  const servers: Partial<Record<ServerState, number>> = {}
  for (const { state } of all) servers[state] = (servers[state] ?? 0) + 1
  const broken = all.filter(({ state }) => BROKEN.includes(state))
  return {
    ...running,
    hub,
    servers,
    broken: broken.map(({ name, state, reason: why }) => ({ name, state, reason: why })),
  }
}

function describe({ url, running, ready, reason, hub, servers, broken }: StatusReport): string {
  if (!running) return `No hub runs: ${reason ?? ''}\n`
  const state = ready ? 'ready' : `not ready (${reason ?? ''})`
  if (hub === null) return `A hub runs at ${url}, ${state}. With a token (MCP_HUB_TOKEN) it tells more.\n`
  const counts = Object.entries(servers ?? {}).map(([name, count]) => `${count} ${name}`)
  return [
    `MCP Hub ${hub.version} runs at ${url}, ${state}: process ${hub.pid}, since ${new Date(hub.startedAt).toISOString()}, ${hub.sessions} sessions, ${Math.round(hub.rssBytes / 1_048_576)} MB`,
    `Servers: ${counts.length === 0 ? 'none' : counts.join(', ')}`,
    ...broken.map((server) => `  ✗ ${server.name}, ${server.state}: ${server.reason?.message ?? ''}${cureOf(server)}`),
    ...hub.configFaults.map((fault) => `  ✗ ${describeFault(fault)}`),
    ...(hub.restartNeeded.length === 0 ? [] : [`After a restart: ${hub.restartNeeded.join(', ')}`]),
    '',
  ].join('\n')
}

const cureOf = ({ reason }: Pick<ServerStatus, 'reason'>): string => (reason === null ? '' : `. ${reason.cure}`)
