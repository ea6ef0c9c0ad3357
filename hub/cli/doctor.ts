import { doctorReportSchema, isEnabled, type DoctorReport, type Problem, type ServerConfig } from '../contract/index.ts'
import { CommandError, exitCodes, type Command, type Io, type Values } from './command.ts'
import { describeReport, describeRuntimes, describeSteps } from './doctor-text.ts'
import { openLocalDoctor } from './local-doctor.ts'
import { readConfiguration, type Configuration } from './read-configuration.ts'
import { settingOptions } from './setting-options.ts'
import { examineSurroundings } from './surroundings.ts'
import { askUrl, tokenOf, urlOf, urlOptions } from './url-client.ts'

export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'Examine what a hub needs to start here, and each server: what fails, and the cure.',
  positional: { name: 'server', help: 'only this one (default: the hub, and all servers that are enabled)' },
  options: {
    ...settingOptions,
    ...urlOptions,
    json: { type: 'boolean', help: 'print the reports as JSON' },
  },
  async run(values, io) {
    const server = typeof values['server'] === 'string' ? values['server'] : null
    if (typeof values['url'] !== 'string' && server === null) return examineAll(values, io)
    const reports =
      typeof values['url'] === 'string' ? await askHub(values, server, io) : await examineOne(values, server ?? '', io)
    if (values['json'] === true) io.out(`${JSON.stringify(reports, null, 2)}\n`)
    return reports.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.unavailable
  },
}

async function examineOne(values: Values, server: string, io: Io): Promise<DoctorReport[]> {
  const configuration = await readConfiguration(values, io)
  const { mcpServers } = configuration.servers
  const entry = mcpServers[server]
  if (entry === undefined) throw unknownServer(server, Object.keys(mcpServers))
  return examine(configuration, [[server, entry]], values, io)
}

/** The hub's own surroundings come first: what keeps it from starting goes before what a server lacks. */
async function examineAll(values: Values, io: Io): Promise<number> {
  const { report, configuration } = await examineSurroundings(values, io)
  if (values['json'] !== true) {
    const verdict = report.failed === null ? 'would start' : `fails at ${report.failed}, exit code ${report.exitCode}`
    io.out(`The hub: ${verdict}\n${describeSteps(report.steps)}`)
  }
  const enabled = Object.entries(configuration?.servers.mcpServers ?? {}).filter(([, entry]) => isEnabled(entry))
  const servers = configuration === null ? [] : await examine(configuration, enabled, values, io)
  if (values['json'] === true) io.out(`${JSON.stringify({ hub: report, servers }, null, 2)}\n`)
  if (!report.ok) return report.exitCode
  return servers.every(({ ok }) => ok) ? exitCodes.ok : exitCodes.unavailable
}

async function examine(
  configuration: Pick<Configuration, 'directory' | 'system'>,
  chosen: readonly (readonly [name: string, entry: ServerConfig])[],
  values: Values,
  io: Io,
): Promise<DoctorReport[]> {
  const doctor = await openLocalDoctor(configuration, values, io)
  try {
    if (values['server'] === undefined && values['json'] !== true) io.out(describeRuntimes(await doctor.runtimes()))
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
  const base = urlOf(String(values['url']))
  const token = tokenOf(values, io)
  const ask = async (route: string): Promise<unknown> => {
    const { status, body } = await askUrl(base, token, route, io)
    if (status < 400) return body
    const { detail, cure } = (body ?? {}) as Partial<Problem>
    throw new CommandError(
      detail ?? `${base.origin} answered ${status}.`,
      cure ?? 'Check --url and the token.',
      exitCodes.unavailable,
    )
  }
  const names =
    server === null
      ? ((await ask('GET /api/servers')) as { name: string; state: string }[])
          .filter(({ state }) => state !== 'disabled')
          .map(({ name }) => name)
      : [server]
  const reports: DoctorReport[] = []
  for (const name of names) {
    const report = doctorReportSchema.parse(await ask(`POST /api/servers/${encodeURIComponent(name)}/doctor`))
    if (values['json'] !== true) io.out(describeReport(report))
    reports.push(report)
  }
  return reports
}

function unknownServer(name: string, known: readonly string[]): CommandError {
  const cure = known.length === 0 ? 'servers.json has none.' : `There are: ${known.join(', ')}.`
  return new CommandError(`There is no server named ${name}.`, cure, exitCodes.usage)
}
