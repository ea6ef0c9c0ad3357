import { getNodePath, findNodeAtLocation, type Node } from 'jsonc-parser'
import { z } from 'zod'
import {
  serverConfigSchemaFor,
  serverNameSchema,
  serverPrefix,
  profilesFileSchema,
  serversFileSchema,
  systemFileSchema,
  type Fault,
  type ProfilesFile,
  type ServersFile,
  type SystemFile,
} from '../contract/index.ts'
import { interpolate, type Sources } from './interpolate.ts'
import { keysAt } from './schema-shape.ts'
import { keyFaults, parseSyntax, type SyntaxFault } from './syntax.ts'

export type Parsed<T> = { ok: true; value: T } | { ok: false; faults: Fault[] }

/** `servers.json` as text. Comments and trailing commas are allowed. */
export function parseServersFile(text: string, file: string | null): Parsed<ServersFile> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const faults: Fault[] = []
  const { root, value } = parsed.value
  const where = (path: (string | number)[]): Position => positionOf(text, root, path)

  const outer = serversFileSchema.extend({ mcpServers: z.record(z.string(), z.unknown()) }).safeParse(value)
  if (!outer.success) return { ok: false, faults: faultsOf(outer.error, [], serversFileSchema, file, where) }
  for (const [name, entry] of Object.entries(outer.data.mcpServers)) {
    const path = ['mcpServers', name]
    const named = serverNameSchema.safeParse(name)
    if (!named.success)
      faults.push(fault(file, path, where(path), named.error.issues[0]?.message ?? 'bad name', 'Rename the server.'))
    const schema = serverConfigSchemaFor(entry)
    const result = schema.safeParse(entry)
    if (!result.success) faults.push(...faultsOf(result.error, path, schema, file, where))
  }
  faults.push(...prefixCollisions(Object.keys(outer.data.mcpServers), file, where))
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: value as ServersFile }
}

/**
 * `system.json` as text. With `sources` every `${…}` in it gets its value, and one that has none is a fault: never is the
 * reference itself taken for the value.
 */
export function parseSystemFile(text: string, file: string | null, sources?: Sources): Parsed<SystemFile> {
  return parseWith(systemFileSchema, text, file, sources)
}

/** `profiles.json` as text. */
export function parseProfilesFile(text: string, file: string | null): Parsed<ProfilesFile> {
  return parseWith(profilesFileSchema, text, file)
}

function parseWith<T>(
  schema: z.ZodObject & z.ZodType<T>,
  text: string,
  file: string | null,
  sources?: Sources,
): Parsed<T> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const { root, value } = parsed.value
  const where = (path: (string | number)[]): Position => positionOf(text, root, path)
  const faults: Fault[] = []
  const resolved = sources === undefined ? value : resolveTexts(value, [])
  const result = schema.safeParse(resolved)
  // A value that is missing is told once, as that.
  if (!result.success && faults.length === 0) faults.push(...faultsOf(result.error, [], schema, file, where))
  return faults.length === 0 && result.success ? { ok: true, value: result.data } : { ok: false, faults }

  function resolveTexts(inner: unknown, path: (string | number)[]): unknown {
    if (typeof inner === 'string' && sources !== undefined) {
      const found = interpolate(inner, sources)
      for (const { message, cure } of found.problems) faults.push(fault(file, path, where(path), message, cure))
      return found.text
    }
    if (Array.isArray(inner)) return inner.map((item, index) => resolveTexts(item, [...path, index]))
    if (typeof inner !== 'object' || inner === null) return inner
    return Object.fromEntries(Object.entries(inner).map(([key, item]) => [key, resolveTexts(item, [...path, key])]))
  }
}

/** Two names that would give their tools the same prefix; refused when saved, not when called. */
export function prefixCollisions(
  names: readonly string[],
  file: string | null,
  where: (path: (string | number)[]) => Position,
): Fault[] {
  const faults: Fault[] = []
  const seen = new Map<string, string>()
  for (const name of names) {
    const prefix = serverPrefix(name).toLowerCase()
    const other = seen.get(prefix)
    if (other === undefined) seen.set(prefix, name)
    else
      faults.push(
        fault(
          file,
          ['mcpServers', name],
          where(['mcpServers', name]),
          `The names ${other} and ${name} both give tools the prefix ${prefix}__`,
          'Rename one of them.',
        ),
      )
  }
  return faults
}

interface Position {
  line: number | null
  column: number | null
}

/** The document, or what is wrong with its syntax and its keys. */
export function parseJsonc(text: string, file: string | null): Parsed<{ root: Node | undefined; value: unknown }> {
  const parsed = parseSyntax(text)
  const faults = 'fault' in parsed ? [parsed.fault] : keyFaults(parsed.root)
  if ('root' in parsed && faults.length === 0)
    return { ok: true, value: { root: parsed.root, value: valueOf(parsed.root) } }
  const located = faults.map(({ path, offset, message, cure }: SyntaxFault) =>
    fault(file, path, lineAndColumn(text, offset), message, cure),
  )
  return { ok: false, faults: located }
}

/** jsonc-parser's own getNodeValue assigns by key, which a `__proto__` in the file would turn against us. */
function valueOf(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(valueOf)
  if (node.type !== 'object') return node.value as unknown
  return Object.fromEntries(
    (node.children ?? []).map((property) => [
      String(property.children?.[0]?.value),
      property.children?.[1] ? valueOf(property.children[1]) : undefined,
    ]),
  )
}

function faultsOf(
  error: z.ZodError,
  base: (string | number)[],
  schema: z.ZodType,
  file: string | null,
  where: (path: (string | number)[]) => Position,
): Fault[] {
  // A key that is not known often is the one that is missing, misspelt.
  const unknownFirst = error.issues.toSorted((a, b) => rank(a) - rank(b))
  return unknownFirst.flatMap((issue) => {
    const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
    if (issue.code !== 'unrecognized_keys') return [fault(file, path, where(path), issue.message, cureFor(issue))]
    const knownKeys = keysAt(schema, path.slice(base.length))
    return issue.keys.map((key) => {
      const guess = closest(key, knownKeys)
      return fault(
        file,
        [...path, key],
        where([...path, key]),
        `Unknown key ${key}`,
        guess === null ? 'Remove it, or correct its spelling.' : `Did you mean ${guess}?`,
      )
    })
  })
}

const rank = ({ code }: z.core.$ZodIssue): number => (code === 'unrecognized_keys' ? 0 : 1)

function cureFor(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `Give a value of type ${issue.expected}.`
  if (issue.code === 'invalid_value') return `Use one of: ${issue.values.map(String).join(', ')}.`
  if (issue.code === 'too_small') return `Give at least ${issue.minimum}.`
  if (issue.code === 'too_big') return `Give at most ${issue.maximum}.`
  return 'Correct the value.'
}

function fault(
  file: string | null,
  path: (string | number)[],
  position: Position,
  message: string,
  cure: string,
): Fault {
  return {
    file,
    path: path
      .map((part) => (typeof part === 'number' ? `[${part}]` : part))
      .join('.')
      .replaceAll('.[', '['),
    ...position,
    message,
    cure,
  }
}

function positionOf(text: string, root: Node | undefined, path: (string | number)[]): Position {
  if (root === undefined) return { line: null, column: null }
  for (let length = path.length; length >= 0; length--) {
    const node = findNodeAtLocation(root, path.slice(0, length))
    if (node === undefined) continue
    // A property is shown at its key, not at its value.
    const at = node.parent?.type === 'property' ? node.parent : node
    return getNodePath(at).length >= 0 ? lineAndColumn(text, at.offset) : { line: null, column: null }
  }
  return { line: null, column: null }
}

function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}

function closest(key: string, known: string[]): string | null {
  const ranked = known
    .map((candidate) => ({ candidate, distance: editDistance(key.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)
  const best = ranked[0]
  return best !== undefined && best.distance <= Math.max(1, Math.floor(key.length / 3)) ? best.candidate : null
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      )
    }
    row = next
  }
  return row[b.length] ?? 0
}
