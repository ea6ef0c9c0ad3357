import { access, mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { replaceEditedFile, writeFileAtomic } from '../config/atomic-file.ts'
import { leavesOf, recordOf } from '../config/changes.ts'
import { withValue } from '../config/edited-text.ts'
import { nested, portableServers, travels } from '../config/push/portable.ts'
import { parseJsonc } from '../config/jsonc.ts'
import { readConfigText } from '../config/read-file.ts'
import {
  portableConfigSchema,
  pushResultSchema,
  pushStatusSchema,
  type PushConfig,
  type PushResult,
  type PushStatus,
} from '../contract/index.ts'
import {
  CommandError,
  exitCodes,
  requireOption,
  type Command,
  type CommandOption,
  type Io,
  type Values,
} from './command.ts'
import { remoteHub } from './deploy-key-file.ts'
import { askHub, problemOf, type HubAnswer, type RemoteHub } from './hub-client.ts'
import { readConfiguration } from './read-configuration.ts'
import { folderOptions } from './setting-options.ts'
import { refuseFaults } from './settings-here.ts'

const hubOptions: Readonly<Record<string, CommandOption>> = {
  hub: { type: 'string', value: 'URL', help: 'the hub that runs there (default that of the key file)' },
  'key-file': { type: 'string', value: 'FILE', help: 'what config enrol wrote, or the deploy key alone' },
  fingerprint: {
    type: 'string',
    value: 'SHA256',
    help: 'of the hub’s certificate, where this computer does not trust it',
  },
  json: { type: 'boolean', help: 'print the answer as JSON' },
}
const POLL_MS = 1_000
/** For a hub that does not answer, or cannot write what was before. */
const PATIENCE_MS = 300_000
/** Beside the configuration: what of each hub it was made from, so that nobody's change there is overwritten unseen. */
const STATE_FILE = '.mcp-hub-push.json'

export const configPushCommand: Command = {
  name: 'config push',
  summary: 'Bring this configuration into force at a hub that runs; it takes it back when a server breaks.',
  options: {
    ...hubOptions,
    config: folderOptions.config,
    'dry-run': { type: 'boolean', help: 'only tell what would change' },
    reason: { type: 'string', value: 'TEXT', help: 'why, for the versions and the audit log there' },
    force: { type: 'boolean', help: 'also over what others changed there since the last push or pull' },
  },
  async run(values, io) {
    const hub = await remoteHub(values)
    const local = await localConfig(values, io)
    const { directory, pushed, kept } = local
    if (values['dry-run'] === true) {
      const result = await dryRun(hub, local, io)
      print(values, io, result, describe(result))
      return exitCodes.ok
    }
    const known = values['force'] === true ? undefined : (await readState(directory))[hub.base.host]
    const etag = known ?? portableConfigSchema.parse((await good(hub, 'GET /api/admin/config', io)).body).etag
    const reason = typeof values['reason'] === 'string' ? { reason: values['reason'] } : {}
    const answer = await good(hub, 'PUT /api/admin/config', io, {
      body: { ...pushed, ...reason },
      headers: { 'if-match': etag },
    })
    const result = { ...pushResultSchema.parse(answer.body), kept }
    if (values['json'] !== true) io.out(describe(result))
    const push = result.push === null ? null : await decided(hub, result.push, io)
    if (push === null || push.state === 'kept') await remember(directory, hub, result.etag)
    print(values, io, { ...result, push }, push === null ? 'Nothing to change.\n' : describePush(push))
    if (push === null || push.state === 'kept') return exitCodes.ok
    return push.state === 'superseded' ? exitCodes.cannotCreate : exitCodes.tookBack
  },
}

export const configDiffCommand: Command = {
  name: 'config diff',
  summary: 'What config push would change at a hub that runs; exits with 1 when there is something.',
  options: { ...hubOptions, config: folderOptions.config },
  async run(values, io) {
    const result = await dryRun(await remoteHub(values), await localConfig(values, io), io)
    print(values, io, result, describe(result))
    return result.differences.length === 0 ? exitCodes.ok : exitCodes.differs
  },
}

export const configPullCommand: Command = {
  name: 'config pull',
  summary: 'Write the configuration of a hub that runs into a folder, with references in the place of secrets.',
  options: {
    ...hubOptions,
    out: { type: 'string', value: 'DIR', help: 'the folder; config push and config diff take it with --config' },
    force: { type: 'boolean', help: 'replace servers.json and profiles.json there, and in system.json what travels' },
  },
  async run(values, io) {
    const hub = await remoteHub(values)
    const directory = path.resolve(requireOption(values, 'out'))
    const config = portableConfigSchema.parse((await good(hub, 'GET /api/admin/config', io)).body)
    const isForced = values['force'] === true
    const system = path.join(directory, 'system.json')
    const present = isForced ? await presentText(system) : null
    const files = [
      ['servers.json', textOf(config.servers)],
      ['profiles.json', textOf(config.profiles)],
      ...(Object.keys(config.system).length > 0 ? [['system.json', textOf(config.system)] as const] : []),
    ] as const
    if (!isForced)
      for (const [name] of files) {
        const file = path.join(directory, name)
        const isThere = await access(file).then(
          () => true,
          () => false,
        )
        if (isThere)
          throw new CommandError(
            `${file} is there already.`,
            'Give another folder, or --force.',
            exitCodes.cannotCreate,
          )
      }
    const kept = present === null ? null : withTravelling(present, leavesOf(config.system))
    await mkdir(directory, { recursive: true })
    for (const [name, content] of files)
      if (name !== 'system.json' || kept === null) await writeFileAtomic(path.join(directory, name), content)
    if (kept !== null && kept !== present) await replaceEditedFile(system, kept)
    await remember(directory, hub, config.etag)
    const { version } = config
    const made =
      version === null
        ? ''
        : `, version ${version.id} by ${version.by ?? 'hand'} of ${new Date(version.at).toISOString()}`
    print(
      values,
      io,
      config,
      `Wrote ${Object.keys(config.servers.mcpServers).length} servers to ${directory}${made}.\n`,
    )
    return exitCodes.ok
  },
}

const textOf = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

/** Null when there is none. Throws CommandError for a file that is no configuration. */
async function presentText(file: string): Promise<string | null> {
  const found = await readConfigText(file)
  const text = found.ok ? found.text : null
  const parsed = text === null ? null : parseJsonc(text, file)
  refuseFaults([...(found.ok ? [] : [found.fault]), ...(parsed?.ok === false ? parsed.faults : [])])
  return text
}

/**
 * The text of a system.json with these settings, by their paths, in the place of all that travel, which the next push would
 * bring back. What belongs to this machine stays: among it are keys that sign.
 */
function withTravelling(text: string, settings: Readonly<Record<string, unknown>>): string {
  const before = Object.keys(leavesOf(recordOf(text))).filter(travels)
  const next = { ...Object.fromEntries(before.map((setting) => [setting, undefined])), ...settings }
  return Object.entries(next).reduce((edited, [at, value]) => withValue(edited, at.split('.'), value), text)
}

interface LocalConfig {
  directory: string
  pushed: PushConfig
  /** Paths of the settings here that belong to this machine. */
  kept: string[]
}

/**
 * The files as they go to a hub: secrets that somebody wrote in clear are references there, to be given once. Settings that a hub
 * would not take stay here: among them are keys that sign.
 */
async function localConfig(values: Values, io: Io): Promise<LocalConfig> {
  const { directory, servers, profiles, systemAsWritten } = await readConfiguration(values, io)
  const { servers: mcpServers, lifted } = portableServers(servers.mcpServers)
  if (lifted.length > 0) io.err(`Secrets are not pushed; the hub needs values of its own for: ${lifted.join(', ')}\n`)
  const settings = Object.entries(leavesOf({ ...systemAsWritten }))
  const system = nested(Object.fromEntries(settings.filter(([setting]) => travels(setting))))
  return {
    directory,
    pushed: { servers: { mcpServers }, profiles, system },
    kept: settings.flatMap(([setting]) => (travels(setting) || setting === '$schema' ? [] : [setting])),
  }
}

async function dryRun(hub: RemoteHub, { pushed, kept }: LocalConfig, io: Io): Promise<PushResult> {
  const { body } = await good(hub, 'PUT /api/admin/config?dryRun=1', io, { body: pushed })
  return { ...pushResultSchema.parse(body), kept }
}

async function good(
  hub: RemoteHub,
  route: string,
  io: Io,
  options: Parameters<typeof askHub>[3] = {},
): Promise<HubAnswer> {
  const answer = await askHub(hub, route, io, options)
  if (answer.status < 300) return answer
  const { detail, cure, code, faults = [] } = problemOf(answer)
  const lines = faults.map(({ path: at, message, cure: more }) => `  ${at}: ${message}. ${more}`)
  const known: Partial<Record<string, [cure: string, exitCode: number]>> = {
    HUB_CHANGED_MEANWHILE: [
      'See: mcp-hub config diff; then config pull, or push with --force.',
      exitCodes.cannotCreate,
    ],
    HUB_CONFLICT: [cure ?? '', exitCodes.cannotCreate],
    HUB_INVALID_CONFIG: [cure ?? '', exitCodes.data],
    HUB_UNAUTHENTICATED: [
      'The key was revoked, ran out, or is of another hub: mcp-hub config enrol.',
      exitCodes.noPermission,
    ],
    HUB_FORBIDDEN: [cure ?? '', exitCodes.noPermission],
    HUB_EXEC_REFUSED: [cure ?? '', exitCodes.noPermission],
  }
  const [help, exitCode] = known[code ?? ''] ?? [cure ?? 'Check --hub and the key.', exitCodes.unavailable]
  throw new CommandError([detail, ...lines].join('\n'), help, exitCode)
}

/**
 * Waits until the hub has decided, however long it watches. It may be away for a moment: that is what its watch is for. Throws
 * CommandError (69) when it has said nothing, or only that it could not take the push back, for so long by the clock of this
 * machine, and the reason of `io.signal`.
 */
async function decided(hub: RemoteHub, push: PushStatus, io: Io): Promise<PushStatus> {
  let current = push
  let heard = performance.now()
  while (current.state === 'watching' || current.state === 'revert-failed') {
    await delay(POLL_MS, undefined, { signal: io.signal })
    const answer = await askHub(hub, `GET /api/admin/config/pushes/${push.id}`, io).catch(() => null)
    const status = pushStatusSchema.safeParse(answer?.body)
    if (status.success) {
      if (status.data.state !== 'revert-failed' || current.state !== 'revert-failed') heard = performance.now()
      current = status.data
    } else if (answer?.status === 401 || answer?.status === 404)
      await good(hub, `GET /api/admin/config/pushes/${push.id}`, io)
    if (performance.now() - heard > PATIENCE_MS)
      throw new CommandError(
        `${hub.base.origin} does not say what became of the push.\n${describePush(current)}`,
        'Ask again: mcp-hub config diff.',
        exitCodes.unavailable,
      )
  }
  return current
}

/** Throws CommandError for a file that is none of ours: to push over what nobody has seen must be asked for. */
async function readState(directory: string): Promise<Record<string, string>> {
  const file = path.join(directory, STATE_FILE)
  const text = await readFile(file, 'utf8').catch(() => '{}')
  try {
    return z.record(z.string(), z.string()).parse(JSON.parse(text))
  } catch {
    throw new CommandError(
      `${file} is broken.`,
      'Look at config diff, then delete that file or push with --force.',
      exitCodes.data,
    )
  }
}

async function remember(directory: string, { base }: RemoteHub, etag: string): Promise<void> {
  const before = await readState(directory).catch(() => ({}))
  const state = { ...before, [base.host]: etag }
  await writeFileAtomic(path.join(directory, STATE_FILE), `${JSON.stringify(state, null, 2)}\n`)
}

function print(values: Values, io: Io, value: unknown, text: string): void {
  io.out(values['json'] === true ? `${JSON.stringify(value, null, 2)}\n` : text)
}

function describe({ differences, kept, missing, refusal }: PushResult): string {
  const lines = differences.flatMap(({ meanings }) => meanings.map(({ message }) => `  ${message}`))
  return [
    lines.length === 0 ? 'The hub runs this configuration.' : 'What changes:',
    ...lines,
    ...(kept.length === 0 ? [] : [`Settings that stay as they are at the hub: ${kept.join(', ')}`]),
    ...missing.map(({ server, message, cure }) => `! ${server}: ${message}. ${cure}`),
    ...(refusal === null ? [] : [`✗ It would be refused: ${refusal.message}. ${refusal.cure ?? ''}`]),
    '',
  ].join('\n')
}

function describePush({ state, failures, until }: PushStatus): string {
  const because = failures.map(({ message }) => `  ${message}\n`).join('')
  const said: Record<PushStatus['state'], string> = {
    watching: `In force, and watched until ${new Date(until).toISOString()}.\n`,
    kept: 'In force; everything that ran before runs.\n',
    reverted: `Taken back, the old configuration is in force again:\n${because}`,
    superseded: 'Somebody else changed the configuration meanwhile; that is in force now.\n',
    'not-applied': 'It did not come into force: the hub ended while it was written.\n',
    'revert-failed': `The old configuration could not be written yet:\n${because}`,
  }
  return said[state]
}
