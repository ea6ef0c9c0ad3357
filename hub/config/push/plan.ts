import { isDeepStrictEqual } from 'node:util'
import { applyEdits, modify, parse } from 'jsonc-parser'
import type { ConfigTexts, Fault, PushConfig, PushResult, ServerConfig } from '../../contract/index.ts'
import { HubError } from '../../hub-error.ts'
import { saidOf, say, told, wordsFrom } from '../../say.ts'
import { changeTexts } from '../../secrets/lift.ts'
import { leavesOf } from '../changes.ts'
import type { Sources } from '../interpolate.ts'
import { parseProfilesFile } from '../parse-profiles.ts'
import { parseServersFile } from '../parse-servers.ts'
import { parseSystemFile } from '../parse-system.ts'
import { resolveReferences } from '../references.ts'
import { splitSecrets } from '../secret-patterns.ts'
import { differencesBetween } from './differences.ts'
import { portableOf, travels } from './portable.ts'

const formatting = { formattingOptions: { tabSize: 2, insertSpaces: true, eol: '\n' } }

export interface PushPlan extends Pick<PushResult, 'differences' | 'kept' | 'missing'> {
  /** What would be in force: the present texts, comments and all, with the entries that differ in them. */
  texts: ConfigTexts
}

/**
 * What a push makes of the present configuration. An entry that says the same but for its secrets stays as it is written here.
 * Throws HUB_INVALID_CONFIG with every fault, also for the value of a secret.
 */
export function planPush(
  present: ConfigTexts,
  pushed: PushConfig,
  { sources, redact }: { sources: Sources; redact: <T>(value: T) => T },
): PushPlan {
  const before = portableOf(present, redact)
  const texts = { ...present }
  if (pushed.servers !== undefined)
    texts.servers = withEntries(present.servers, 'mcpServers', before.servers, pushed.servers.mcpServers)
  if (pushed.profiles !== undefined)
    texts.profiles = withEntries(present.profiles, 'profiles', before.profiles, pushed.profiles.profiles)
  const settings = Object.entries(leavesOf(pushed.system ?? {}))
  for (const [path, value] of settings)
    if (travels(path) && !isDeepStrictEqual(before.system[path], value))
      texts.system = applyEdits(texts.system, modify(texts.system, path.split('.'), value, formatting))

  refuse(faultsOf(texts))
  const written = (parse(texts.servers) as { mcpServers: Record<string, ServerConfig> }).mcpServers
  const touched = Object.entries(written).filter(
    ([name]) => !isDeepStrictEqual(own(before.servers, name), own(pushed.servers?.mcpServers ?? before.servers, name)),
  )
  refuse(touched.flatMap(([name, entry]) => secretsIn(name, entry)))
  return {
    texts,
    differences: differencesBetween(before, portableOf(texts, redact)),
    kept: settings.flatMap(([path]) => (travels(path) || path === '$schema' ? [] : [path])),
    missing: touched.flatMap(([server, entry]) =>
      resolveReferences(entry, sources).faults.map(({ path, message, cure, said }) => ({
        ...{ server, path, message, cure },
        ...saidOf({ said }),
      })),
    ),
  }
}

/** The text of a file with these entries of a map in it; those that are the same keep their text. */
function withEntries(
  text: string,
  key: string,
  present: Readonly<Record<string, unknown>>,
  wanted: Readonly<Record<string, unknown>>,
): string {
  let result = text
  for (const name of new Set([...Object.keys(present), ...Object.keys(wanted)])) {
    const value = own(wanted, name)
    if (!isDeepStrictEqual(own(present, name), value))
      result = applyEdits(result, modify(result, [key, name], value, formatting))
  }
  return result
}

const own = (entries: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(entries, name) ? entries[name] : undefined

function faultsOf(texts: ConfigTexts): Fault[] {
  const parsed = [
    parseServersFile(texts.servers, 'servers.json'),
    parseProfilesFile(texts.profiles, 'profiles.json'),
    parseSystemFile(texts.system, 'system.json'),
  ]
  return parsed.flatMap((file) => (file.ok ? [] : file.faults))
}

function secretsIn(server: string, entry: ServerConfig): Fault[] {
  const faults: Fault[] = []
  changeTexts(entry, (key, path, value) => {
    if (splitSecrets(key, value).some(({ secret }) => secret))
      faults.push(
        told({
          file: 'servers.json',
          path: `mcpServers.${server}.${path}`,
          line: null,
          column: null,
          message: say`It looks like the value of a secret, and those are never pushed`,
          cure: say`Write \${secret:NAME} in its place, and set NAME on the hub.`,
        }),
      )
    return value
  })
  return faults
}

function refuse(faults: Fault[]): void {
  const [first] = faults
  if (first !== undefined)
    throw new HubError('HUB_INVALID_CONFIG', say`${first.path}: ${wordsFrom(first, 'message')}`, {
      faults,
      cure: wordsFrom(first, 'cure'),
    })
}
