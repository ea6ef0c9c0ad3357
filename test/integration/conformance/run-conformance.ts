import { spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

export type Revision = '2025-11-25' | '2026-07-28'

export interface Finding {
  scenario: string
  check: string
  message: string
}

export interface Report {
  passed: number
  failed: Finding[]
  warnings: Finding[]
}

interface Run {
  report: Report
  exitCode: number
  output: string
}

interface Check {
  id: string
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED'
  description: string
  errorMessage?: string
}

const suite = join(import.meta.dirname, '../../../node_modules/@modelcontextprotocol/conformance/dist/index.js')

/** Runs everything a revision asks of a server, scored or not, against a URL on this machine. */
export async function runServerSuite(url: string, revision: Revision): Promise<Report> {
  return (await runSuite(['server', '--url', url, '--requirements', revision])).report
}

/** Runs a scenario for clients: the command is started with the URL of the scenario's own server as last argument. */
export async function runClientScenario(
  command: string,
  scenario: string,
  revision: Revision,
  env: Record<string, string>,
): Promise<Report> {
  const args = ['client', '--command', command, '--scenario', scenario, '--spec-version', revision]
  const { report, exitCode, output } = await runSuite(args, env)
  // A client that gives up may have passed every check until then.
  if (exitCode !== 0 && report.failed.length + report.warnings.length === 0) {
    report.failed.push({ scenario, check: 'the client ends well', message: output.slice(-2000) })
  }
  return report
}

async function runSuite(args: string[], env: Record<string, string> = {}): Promise<Run> {
  const directory = await mkdtemp(join(tmpdir(), 'mcp-conformance-'))
  try {
    const { exitCode, output } = await run([suite, ...args, '--output-dir', directory], env)
    const report = await readReport(directory)
    // Without a single check the suite itself did not run.
    if (report.passed + report.failed.length === 0) throw new Error(`The suite reported nothing:\n${output}`)
    return { report, exitCode, output }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function run(args: string[], env: Record<string, string>): Promise<{ exitCode: number; output: string }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  const exitCode = await new Promise<number>((resolve) => child.once('close', (code) => resolve(code ?? -1)))
  return { exitCode, output }
}

async function readReport(directory: string): Promise<Report> {
  const report: Report = { passed: 0, failed: [], warnings: [] }
  const files = await readdir(directory, { recursive: true })
  for (const file of files.filter((name) => name.endsWith('checks.json')).sort()) {
    const scenario = scenarioOf(dirname(file))
    const checks = JSON.parse(await readFile(join(directory, file), 'utf8')) as Check[]
    for (const { id, status, description, errorMessage } of checks) {
      const finding = { scenario, check: id, message: errorMessage ?? description }
      if (status === 'SUCCESS') report.passed++
      else if (status === 'FAILURE') report.failed.push(finding)
      else if (status === 'WARNING') report.warnings.push(finding)
    }
  }
  return report
}

/** Directories are named `server-<scenario>-<time>`. */
const scenarioOf = (directory: string): string =>
  directory.replace(/^server-/, '').replace(/-\d{4}-\d{2}-\d{2}T[\d-]+Z$/, '')
