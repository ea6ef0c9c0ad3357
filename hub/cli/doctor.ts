import { doctorReportSchema, isEnabled, type DoctorReport, type Runtimes } from '../contract/index.ts'
import { CommandError, exitCodes, UsageError, type Command, type Io, type Values } from './command.ts'
import { openLocalDoctor } from './local-doctor.ts'
import { readConfiguration } from './read-configuration.ts'
import { folderOptions } from './setting-options.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Examine a server step by step, or all of them: what fails, and the cure.',
  positional: { name: 'server', help: 'name of the server (default all that are enabled)' },
  options: {
    config: folderOptions.config,
    url: { type: 'string', value: 'URL', help: 'ask this hub instead, with its secrets and sign-ins' },
    token: { type: 'string', value: 'TOKEN', help: 'for --url; rather set MCP_HUB_TOKEN, which nobody else can see' },
    json: { type: 'boolean', help: 'print the reports as JSON' },
  },
  async run(values, io) {
    const server = typeof values['server'] === 'string' ? values['server'] : null
    const reports =
      typeof values['url'] === 'string' ? await askHub(values, server, io) : await here(values, server, io)
    if (values['json'] === true) io.out(`${JSON.stringify(reports, null, 2)}\n`)
    return reports.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.unavailable
  },
}

async function here(values: Values, server: string | null, io: Io): Promise<DoctorReport[]> {
  const configuration = await readConfiguration(values, io)
  const all = Object.entries(configuration.servers.mcpServers)
  const chosen = all.filter(([name, entry]) => (server === null ? isEnabled(entry) : name === server))
  if (server !== null && chosen.length === 0)
    throw unknownServer(
      server,
      all.map(([name]) => name),
    )
  const doctor = await openLocalDoctor(configuration, io)
  try {
    if (server === null && values['json'] !== true) io.out(describeRuntimes(await doctor.runtimes()))
    const reports: DoctorReport[] = []
    for (const [name, entry] of chosen) {
      const report = await doctor.examine(name, entry, io.signal)
      if (values['json'] !== true) io.out(describeReport(report))
      reports.push(report)
    }
    return reports
  } finally {
    await doctor.dispose()
  }
}

async function askHub(values: Values, server: string | null, io: Io): Promise<DoctorReport[]> {
  const base = URL.parse(String(values['url']))
  if (base === null || !/^https?:$/.test(base.protocol))
    throw new UsageError('--url: an http: or https: URL is needed.')
  const token = values['token'] ?? io.env['MCP_HUB_TOKEN']
  const ask = async (method: string, route: string): Promise<unknown> => {
    const response = await fetch(new URL(route, base), {
      method,
      headers: {
        ...(typeof token === 'string' ? { authorization: `Bearer ${token}` } : {}),
        ...(method === 'POST' ? { 'content-type': 'application/json' } : {}),
      },
      ...(method === 'POST' ? { body: '{}' } : {}),
      signal: io.signal,
    }).catch((error: unknown) => {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error)
      throw new CommandError(
        `${base.origin} cannot be reached: ${cause}`,
        'Start the hub, or correct --url.',
        exitCodes.unavailable,
      )
    })
    const body = (await response.json().catch(() => null)) as { detail?: string; cure?: string } | null
    if (response.ok) return body
    const cure = body?.cure ?? 'Check --url and the token.'
    throw new CommandError(body?.detail ?? `${base.origin} answered ${response.status}.`, cure, exitCodes.unavailable)
  }
  const names =
    server === null
      ? ((await ask('GET', '/api/servers')) as { name: string; state: string }[])
          .filter(({ state }) => state !== 'disabled')
          .map(({ name }) => name)
      : [server]
  const reports: DoctorReport[] = []
  for (const name of names) {
    const report = doctorReportSchema.parse(await ask('POST', `/api/servers/${encodeURIComponent(name)}/doctor`))
    if (values['json'] !== true) io.out(describeReport(report))
    reports.push(report)
  }
  return reports
}

function unknownServer(name: string, known: readonly string[]): CommandError {
  const cure = known.length === 0 ? 'servers.json has none.' : `There are: ${known.join(', ')}.`
  return new CommandError(`There is no server named ${name}.`, cure, exitCodes.usage)
}

const SIGNS = { ok: '✓', warning: '!', failed: '✗', skipped: '·' } as const

export function describeReport(report: DoctorReport): string {
  const width = Math.max(...report.steps.map(({ id }) => id.length))
  const lines = report.steps.flatMap(({ id, outcome, durationMs, message, cure, detail }) => {
    const time = outcome === 'skipped' ? '' : `${durationMs} ms`
    const more = outcome === 'failed' && detail !== null ? detail.split('\n').map((line) => `      | ${line}`) : []
    return [
      `  ${SIGNS[outcome]} ${id.padEnd(width)} ${time.padStart(8)}  ${message}`,
      ...more,
      ...(cure === null ? [] : [`      → ${cure}`]),
    ]
  })
  const verdict = report.failed === null ? 'works' : `fails at ${report.failed}`
  return `${report.server}: ${verdict} (${report.target})\n${lines.join('\n')}\n\n`
}

function describeRuntimes({ path, runtimes }: Runtimes): string {
  const from = path.source === 'login-shell' ? (path.shell ?? 'the login shell') : 'the environment'
  const width = Math.max(...runtimes.map(({ command }) => command.length))
  const lines = runtimes.map(({ command, file, version, cure }) => {
    const found = file === null ? 'not installed' : `${version ?? 'unknown version'}  ${file}`
    return `  ${file === null ? '·' : '✓'} ${command.padEnd(width)}  ${found}${file !== null && cure !== null ? `  → ${cure}` : ''}`
  })
  const problem = path.problem === null ? '' : ` (${path.problem})`
  return `PATH from ${from}${problem}: ${path.folders.length} folders\n${lines.join('\n')}\n\n`
}
