import { isDeepStrictEqual } from 'node:util'
import { applyEdits, modify, parse } from 'jsonc-parser'
import type { ConfigTexts } from '../../contract/versions.ts'
import { publishedConfig, type ConfigFiles, type Entries } from './published-config.ts'

const formatting = { formattingOptions: { tabSize: 2, insertSpaces: true, eol: '\n' } }

/** What publishing sets for a target: it is right there and wrong here. */
const PUBLISHED: readonly string[] = [
  'server.allowedHosts',
  'server.publicUrl',
  'server.trustProxy',
  'server.cors.origin',
  'server.host',
  'server.port',
  'auth.mcp',
  'auth.jwtSecret',
  'auth.jwtSecretPrevious',
  'logging.file',
]

const parts = [
  { file: 'servers.json', text: 'servers', entries: 'mcpServers' },
  { file: 'system.json', text: 'system', entries: null },
  { file: 'profiles.json', text: 'profiles', entries: 'profiles' },
] as const

/**
 * The configuration here with what differs on the server. Only what is another there than a push would have made it is taken:
 * comments, secrets and what publishing changes stay as they are here.
 */
export function pulledTexts(local: ConfigTexts, published: ConfigFiles, there: ConfigFiles): ConfigTexts {
  const result = { ...local }
  for (const { file, text, entries } of parts) {
    const found = there.get(file)
    // A file that is not there says nothing: an older release brought none.
    if (found === undefined) continue
    const before = publishedConfig(file, published.get(file) ?? '')
    const after = publishedConfig(file, found)
    let edited = result[text].trim() === '' ? '{}' : result[text]
    for (const [path, value] of differences(before, after, entries))
      if (entries !== null || !PUBLISHED.includes(path.join('.')))
        edited = applyEdits(edited, modify(edited, [...path], value, formatting))
    if (!isDeepStrictEqual(parse(edited), parse(result[text].trim() === '' ? '{}' : result[text])))
      result[text] = edited
  }
  return result
}

/** Paths with what is at them afterwards; undefined takes them away. Entries come and go as a whole. */
function differences(before: Entries, after: Entries, entries: string | null): [readonly string[], unknown][] {
  if (entries === null) return leafDifferences([], before, after)
  const [was, is] = [before[entries], after[entries]].map((value) => (isEntries(value) ? value : {})) as [
    Entries,
    Entries,
  ]
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((name): [readonly string[], unknown][] => {
    const path = [entries, name]
    if (!Object.hasOwn(is, name)) return [[path, undefined]]
    if (!Object.hasOwn(was, name)) return [[path, is[name]]]
    return leafDifferences(path, was[name], is[name])
  })
}

function leafDifferences(path: readonly string[], before: unknown, after: unknown): [readonly string[], unknown][] {
  const [was, is] = [before, after].map(
    (value) => new Map(leavesOf(value).map(([at, leaf]) => [JSON.stringify(at), leaf])),
  ) as [Map<string, unknown>, Map<string, unknown>]
  return [...new Set([...was.keys(), ...is.keys()])]
    .filter((key) => !isDeepStrictEqual(was.get(key), is.get(key)))
    .map((key) => [[...path, ...(JSON.parse(key) as string[])], is.get(key)])
}

const isEntries = (value: unknown): value is Entries =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The leaves with the names that lead to them, which may hold dots; a list is one. */
function leavesOf(value: unknown, path: readonly string[] = []): [readonly string[], unknown][] {
  if (!isEntries(value) || (Object.keys(value).length === 0 && path.length > 0)) return [[path, value]]
  return Object.entries(value).flatMap(([key, inner]) => leavesOf(inner, [...path, key]))
}
