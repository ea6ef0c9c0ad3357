import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { parseEnv } from 'node:util'
import vm from 'node:vm'
import { z } from 'zod'
import { serversFileSchema, systemFileSchema } from '../contract/index.ts'
import type { Fault } from '../contract/index.ts'
import type { Check } from '../contract/publish.ts'
import { hubPorts } from './context.ts'
import type { Bundle } from './bundle.ts'
import { findTool, runTool } from './run-tool.ts'

const TOOL_TIMEOUT_MS = 10_000

type Checker = (bundle: Bundle, folder: string) => Check | Promise<Check>

/** Each check of an artifact; a new one is one line here. */
const checkers: readonly Checker[] = [
  checkJson('config/servers.json', serversFileSchema),
  checkJson('config/system.json', systemFileSchema),
  checkEnvironment,
  checkEcosystem,
  checkNginx('nginx/mcp-hub.conf', { before: 'events {} pid check.pid; http {\n', after: '}\n' }),
  checkNginx('nginx/nginx.conf'),
  checkNginx('docker/nginx.conf'),
  checkCompose,
  checkLogrotate,
  checkSecrets,
]

/** Checks every artifact with the real tool where it is installed here. `passed` is only said of what really ran. */
export async function checkBundle(bundle: Bundle): Promise<Check[]> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-check-'))
  try {
    return await Promise.all(
      checkers.map(async (check, index) => {
        const own = path.join(folder, String(index))
        await mkdir(own)
        return check(bundle, own)
      }),
    )
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function textOf({ files }: Bundle, artifact: string): string {
  const text = files.find((file) => file.path === artifact)?.text
  if (typeof text !== 'string') throw new Error(`The bundle has no ${artifact}`)
  return text
}

function checkJson(artifact: string, schema: z.ZodType): Checker {
  return (bundle) => {
    const result = schema.safeParse(JSON.parse(textOf(bundle, artifact)))
    const [issue] = result.error?.issues ?? []
    if (issue === undefined) return passed(artifact, 'schema', 'Every key and value is one that the hub knows.')
    return failed(artifact, 'schema', issue.message, {
      path: issue.path.join('.'),
      cure: 'Mend the entry here and publish again.',
    })
  }
}

function checkEnvironment(bundle: Bundle): Check {
  const artifact = '.env.example'
  const names = parseEnv(textOf(bundle, artifact))
  const missing = bundle.secrets.filter(({ name }) => names[name] !== '').map(({ name }) => name)
  if (missing.length === 0) return passed(artifact, 'node', `${bundle.secrets.length} names, each without a value.`)
  return failed(artifact, 'node', `Node does not read these names from it: ${missing.join(', ')}`, {
    cure: 'Rename the reference to letters, digits and underscores.',
  })
}

/** Runs the file as PM2 would and looks at the processes that it describes. */
function checkEcosystem(bundle: Bundle): Check {
  const artifact = 'pm2/ecosystem.config.cjs'
  const shape = z.object({
    exports: z.object({
      apps: z.array(z.object({ name: z.string(), script: z.string(), env: z.object({ PORT: z.string() }) })),
    }),
  })
  try {
    const module = { exports: {} }
    new vm.Script(textOf(bundle, artifact), { filename: artifact }).runInNewContext({ module }, { timeout: 1_000 })
    const { apps } = shape.parse(module).exports
    const ports = hubPorts(bundle.context.target).map(String)
    if (apps.map((app) => app.env.PORT).join() !== ports.join())
      throw new Error(`It does not start one hub on each of ${ports.join(', ')}`)
    return passed(artifact, `node ${process.versions.node}`, `Starts ${apps.map((app) => app.name).join(', ')}.`)
  } catch (error) {
    const line = /ecosystem\.config\.cjs:(\d+)/.exec(error instanceof Error ? (error.stack ?? '') : '')
    return failed(artifact, 'node', String(error), {
      line: line === null ? null : Number(line[1]),
      cure: 'Report this as a fault of MCP Hub.',
    })
  }
}

/**
 * `nginx -t` on the artifact itself. Only what cannot exist here is replaced, line by line: addresses by sockets in a folder
 * of our own (ports below 1024 need root), the certificate by a throw-away one, names of containers by loopback.
 */
function checkNginx(artifact: string, around = { before: '', after: '' }): Checker {
  return async (bundle, folder) => {
    const nginx = await findTool('nginx')
    if (nginx === null) return notChecked(artifact, 'nginx', 'nginx is not installed here.')
    const version = /nginx\/(\d+)\.(\d+)\.(\d+)/.exec(
      (await runTool(nginx, ['-v'], { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })).output,
    )
    const tool = `nginx ${version?.slice(1).join('.') ?? '(version unknown)'}`
    const text = textOf(bundle, artifact)
    const number = (version?.slice(1) ?? []).reduce((sum, part) => sum * 1_000 + Number(part), 0)
    if (/^\s*http2 on;/m.test(text) && number < 1_027_003)
      return notChecked(artifact, tool, 'This file is for nginx 1.27.3 or later, and the one installed here is older.')
    const openssl = await findTool('openssl')
    if (openssl === null)
      return notChecked(
        artifact,
        tool,
        'openssl is not installed here, and nginx checks nothing without a certificate.',
      )

    const certificate = path.join(folder, 'cert.pem')
    const key = path.join(folder, 'key.pem')
    const made = await runTool(
      openssl,
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '1',
        '-subj',
        '/CN=check',
        '-keyout',
        key,
        '-out',
        certificate,
      ],
      { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS },
    )
    if (made.code !== 0) return notChecked(artifact, tool, `openssl made no certificate: ${made.output}`)
    const local = text
      .replace(
        /^(\s*listen )(\S+?)([ ;])/gm,
        (_, start: string, address: string, end: string) =>
          `${start}unix:${path.join(folder, address.replace(/\W/g, '_'))}.sock${end}`,
      )
      .replace(/^(\s*ssl_certificate ).*;/gm, `$1${certificate};`)
      .replace(/^(\s*ssl_certificate_key ).*;/gm, `$1${key};`)
      .replace(/^(\s*(?:access|error)_log )\/\S+/gm, '$1check.log')
      .replace(/^(\s*server )hub[\w-]*:/gm, '$1127.0.0.1:')
    const file = path.join(folder, 'nginx.conf')
    await writeFile(file, `${around.before}${local}${around.after}`)
    const result = await runTool(nginx, ['-t', '-p', `${folder}/`, '-c', file], {
      cwd: folder,
      timeoutMs: TOOL_TIMEOUT_MS,
    })
    const warnings = new Set(
      Array.from(
        result.output.matchAll(/\[warn\] (?:\d+#\d+: )?(.*?)(?: in \S+)?$/gm),
        ([, text = '']) => ` Warning: ${text}.`,
      ),
    )
    if (result.code === 0)
      return passed(
        artifact,
        tool,
        `nginx -t accepts it, with a throw-away certificate in the place of the real one.${[...warnings].join('')}`,
      )
    const fault = /\[emerg\] (.*?)(?: in \S+:(\d+))?$/m.exec(result.output)
    return failed(
      artifact,
      tool,
      fault?.[1] ?? (result.code === null ? 'nginx -t did not end in time.' : result.output),
      {
        line: fault?.[2] === undefined ? null : Number(fault[2]) - (around.before === '' ? 0 : 1),
        cure: 'Report this as a fault of MCP Hub.',
      },
    )
  }
}

async function checkCompose(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'docker/compose.yaml'
  const docker = await findTool('docker')
  if (docker === null) return notChecked(artifact, 'docker compose', 'Docker is not installed here.')
  const version = await runTool(docker, ['compose', 'version', '--short'], { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
  if (version.code !== 0)
    return notChecked(artifact, 'docker compose', 'Docker is installed here without its compose plugin.')
  const tool = `docker compose ${version.output}`
  await writeFile(path.join(folder, 'compose.yaml'), textOf(bundle, artifact))
  const result = await runTool(docker, ['compose', '-f', 'compose.yaml', 'config', '--quiet'], {
    cwd: folder,
    env: Object.fromEntries(bundle.secrets.map(({ name }) => [name, 'checked'])),
    timeoutMs: TOOL_TIMEOUT_MS,
  })
  if (result.code === 0) return passed(artifact, tool, 'docker compose config accepts it.')
  return failed(artifact, tool, result.output || 'docker compose config did not end in time.', {
    cure: 'Report this as a fault of MCP Hub.',
  })
}

/** The hub's user exists only on the target, so here the files are looked at as the user who publishes. */
async function checkLogrotate(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'ops/logrotate.conf'
  const logrotate = await findTool('logrotate')
  if (logrotate === null) return notChecked(artifact, 'logrotate', 'logrotate is not installed here.')
  const file = path.join(folder, 'logrotate.conf')
  const local = textOf(bundle, artifact).replace(/^( *(?:su|create 0640)) mcp-hub mcp-hub$/gm, '')
  await writeFile(file, local, { mode: 0o644 })
  const args = ['--debug', '--state', path.join(folder, 'state'), file]
  const result = await runTool(logrotate, args, { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
  const fault = /^error: (?:\S+:(\d+) )?(.*)$/m.exec(result.output)
  if (result.code === 0 && fault === null) return passed(artifact, 'logrotate', 'logrotate --debug accepts it.')
  return failed(artifact, 'logrotate', fault?.[2] ?? result.output, {
    line: fault?.[1] === undefined ? null : Number(fault[1]),
    cure: 'Report this as a fault of MCP Hub.',
  })
}

/** The promise that matters most, looked at in the finished files. Shorter values may be ordinary words. */
function checkSecrets(bundle: Bundle): Check {
  const values = bundle.liftedValues.filter((value) => value.length >= 8)
  const leaking = bundle.files.find(({ text }) => text !== null && values.some((value) => text.includes(value)))
  if (leaking === undefined)
    return passed(
      'secrets',
      'search',
      `No generated file holds any of the ${bundle.liftedValues.length} secrets of this configuration.`,
    )
  return failed(leaking.path, 'search', 'The value of a secret is in this file.', {
    cure: 'Do not publish. Move the secret into the vault, and report this as a fault.',
  })
}

function passed(artifact: string, tool: string, message: string): Check {
  return { artifact, tool, outcome: 'passed', message, fault: null }
}

function notChecked(artifact: string, tool: string, message: string): Check {
  return { artifact, tool, outcome: 'not-checked', message, fault: null }
}

function failed(artifact: string, tool: string, message: string, at: Partial<Fault> & { cure: string }): Check {
  return {
    artifact,
    tool,
    outcome: 'failed',
    message,
    fault: { file: artifact, path: '', line: null, column: null, message, ...at },
  }
}
