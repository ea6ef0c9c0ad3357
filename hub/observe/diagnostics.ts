import { mkdir, mkdtemp, open, readdir, rm, writeFile } from 'node:fs/promises'
import { arch, cpus, freemem, release, totalmem } from 'node:os'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import type { HubStatus, LogLine, SecretEntry, ServersFile, SystemFile } from '../contract/index.ts'
import { externaliseSecrets } from '../publish/externalise.ts'
import type { LogEntry } from './recent-log.ts'
import type { Redactor } from './redactor.ts'

/** Of the newest lines of all logs together. */
const MAX_LOG_BYTES = 32 * 1_048_576
const MAX_FILE_BYTES = 1_048_576

export interface DiagnosticsOptions {
  /** A folder of the hub's own, in which the archive is put together. */
  dataDir: string
  /** Where the app writes its own logs; null where there are none. */
  logDir: string | null
  status: () => HubStatus
  servers: () => ServersFile
  system: () => SystemFile
  /** State, history and log of each server. */
  states: () => { name: string; state: unknown; log: LogLine[] }[]
  secrets: () => SecretEntry[]
  log: () => LogEntry[]
  redactor: Redactor
}

/**
 * What somebody needs who is asked for help, as a tar.gz: versions, the configuration with references, states, logs, and what
 * went wrong lately. Every file passes the redactor. `dispose` removes what was put together on disk.
 */
export async function createDiagnostics(
  options: DiagnosticsOptions,
): Promise<{ stream: Readable; dispose: () => Promise<void> }> {
  const { create } = await import('tar')
  const folder = await mkdtemp(join(options.dataDir, 'diagnostics-'))
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true })
  try {
    for await (const [path, text] of contents(options)) {
      const file = join(folder, 'mcp-hub', path)
      await mkdir(dirname(file), { recursive: true })
      await writeFile(file, text, { mode: 0o600 })
    }
    return { stream: create({ gzip: true, cwd: folder, portable: true }, ['mcp-hub']) as unknown as Readable, dispose }
  } catch (error) {
    await dispose()
    throw error
  }
}

async function* contents(options: DiagnosticsOptions): AsyncGenerator<[path: string, text: string]> {
  const { redactor } = options
  const json = (value: unknown): string => `${JSON.stringify(redactor.value(value), null, 2)}\n`
  // What a person wrote in the clear is taken out by its look too, not only where it is known.
  const { servers } = externaliseSecrets(options.servers().mcpServers)
  const states = options.states()
  const entries = options.log()

  yield ['hub.json', json({ ...options.status(), machine: machine() })]
  yield ['config/servers.json', json({ mcpServers: servers })]
  yield ['config/system.json', json(withoutKeys(options.system()))]
  yield ['secrets.json', json(options.secrets())]
  yield ['servers.json', json(states.map(({ state }) => state))]
  yield ['faults.json', json(entries.filter(({ level }) => level === 'error' || level === 'warn'))]
  yield ['logs/hub.log', redactor.text(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''))]
  let budget = MAX_LOG_BYTES
  for (const [index, { name, log }] of states.entries()) {
    const text = newest(log.map(lineText), Math.min(MAX_FILE_BYTES, budget))
    budget -= text.length
    yield [`logs/servers/${index + 1}-${name.replace(/[^\w.-]/g, '_')}.log`, redactor.text(text)]
  }
  for (const name of options.logDir === null ? [] : await readdir(options.logDir).catch(() => []))
    if (name.endsWith('.log'))
      yield [`logs/app/${name}`, redactor.text(await tail(join(options.logDir ?? '', name), MAX_FILE_BYTES))]
}

function machine(): Record<string, unknown> {
  return {
    platform: process.platform,
    release: release(),
    arch: arch(),
    cpus: cpus().length,
    totalMemory: totalmem(),
    freeMemory: freemem(),
    uptimeSeconds: Math.round(process.uptime()),
    versions: process.versions,
  }
}

function withoutKeys({ auth, ...rest }: SystemFile): SystemFile {
  const { jwtSecret: _jwtSecret, jwtSecretPrevious: _previous, ...harmless } = auth ?? {}
  return { ...rest, auth: harmless }
}

function lineText({ at, stream, level, text }: LogLine): string {
  return `${new Date(at).toISOString()} ${stream} ${level} ${text}\n`
}

function newest(lines: readonly string[], maxBytes: number): string {
  let size = 0
  let from = lines.length
  while (from > 0 && size + (lines[from - 1]?.length ?? 0) <= maxBytes) size += lines[--from]?.length ?? 0
  return lines.slice(from).join('')
}

async function tail(file: string, maxBytes: number): Promise<string> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const start = Math.max(0, size - maxBytes)
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(Math.min(size, maxBytes)), 0, undefined, start)
    const text = buffer.toString('utf8', 0, bytesRead)
    // A line that begins before that could begin in the middle of a secret.
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1)
  } finally {
    await handle.close()
  }
}
