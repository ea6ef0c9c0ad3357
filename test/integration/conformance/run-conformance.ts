import { spawn } from 'node:child_process'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'

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

interface Check {
  id: string
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED'
  description: string
  errorMessage?: string
}

const suite = join(import.meta.dirname, '../../../node_modules/@modelcontextprotocol/conformance/dist/index.js')

/** Runs everything a revision asks of a server, scored or not, against a URL on this machine. */
export async function runServerSuite(url: string, revision: Revision): Promise<Report> {
  return await runSuite(['server', '--url', url, '--requirements', revision])
}

/** Runs scenarios for clients: the command is started once for each, with the URL of a test server as last argument. */
export async function runClientScenario(command: string, scenario: string, revision: Revision): Promise<Report> {
  const report = await runSuite(['client', '--command', command, '--scenario', scenario, '--spec-version', revision])
  return { ...report, failed: report.failed.map((finding) => ({ ...finding, scenario })) }
}

async function runSuite(args: string[]): Promise<Report> {
  const directory = await mkdtemp(join(tmpdir(), 'mcp-conformance-'))
  try {
    const output = await run([suite, ...args, '--output-dir', directory])
    const report = await readReport(directory)
    // Without a single check the suite itself did not run.
    if (report.passed + report.failed.length === 0) throw new Error(`The suite reported nothing:\n${output}`)
    return report
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function run(args: string[]): Promise<string> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk))
  await new Promise((resolve) => child.once('close', resolve))
  return output
}

async function readReport(directory: string): Promise<Report> {
  const report: Report = { passed: 0, failed: [], warnings: [] }
  const files = await readdir(directory, { recursive: true })
  for (const file of files.filter((name) => name.endsWith('checks.json')).sort()) {
    const scenario = scenarioOf(relative('.', dirname(file)))
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
