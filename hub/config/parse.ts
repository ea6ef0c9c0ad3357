import {
  parseTree,
  getNodePath,
  findNodeAtLocation,
  printParseErrorCode,
  type Node,
  type ParseError,
} from 'jsonc-parser'
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

export type Parsed<T> = { ok: true; value: T } | { ok: false; faults: Fault[] }

/** `servers.json` as text. Comments and trailing commas are allowed. */
export function parseServersFile(text: string, file: string | null): Parsed<ServersFile> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const faults: Fault[] = []
  const { root, value } = parsed.value
  const where = (path: (string | number)[]): Position => positionOf(text, root, path)

  const outer = serversFileSchema.extend({ mcpServers: z.record(z.string(), z.unknown()) }).safeParse(value)
  if (!outer.success)
    return { ok: false, faults: faultsOf(outer.error, [], Object.keys(serversFileSchema.shape), file, where) }
  for (const [name, entry] of Object.entries(outer.data.mcpServers)) {
    const path = ['mcpServers', name]
    const named = serverNameSchema.safeParse(name)
    if (!named.success)
      faults.push(fault(file, path, where(path), named.error.issues[0]?.message ?? 'bad name', 'Rename the server.'))
    const schema = serverConfigSchemaFor(entry)
    const result = schema.safeParse(entry)
    if (!result.success) faults.push(...faultsOf(result.error, path, Object.keys(schema.shape), file, where))
  }
  faults.push(...prefixCollisions(Object.keys(outer.data.mcpServers), file, where))
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: value as ServersFile }
}

/** `system.json` as text. */
export function parseSystemFile(text: string, file: string | null): Parsed<SystemFile> {
  return parseWith(systemFileSchema, text, file)
}

/** `profiles.json` as text. */
export function parseProfilesFile(text: string, file: string | null): Parsed<ProfilesFile> {
  return parseWith(profilesFileSchema, text, file)
}

function parseWith<T>(schema: z.ZodObject & z.ZodType<T>, text: string, file: string | null): Parsed<T> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const { root, value } = parsed.value
  const result = schema.safeParse(value)
  if (result.success) return { ok: true, value: result.data }
  return {
    ok: false,
    faults: faultsOf(result.error, [], Object.keys(schema.shape), file, (path) => positionOf(text, root, path)),
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

/** Everything that is wrong with the syntax, each with its line. */
export function parseJsonc(text: string, file: string | null): Parsed<{ root: Node | undefined; value: unknown }> {
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false })
  const first = errors[0]
  if (first !== undefined || root === undefined) {
    const position = first === undefined ? { line: 1, column: 1 } : lineAndColumn(text, first.offset)
    const what = first === undefined ? 'the file is empty' : readable(printParseErrorCode(first.error))
    return {
      ok: false,
      faults: [
        fault(
          file,
          [],
          position,
          `Not valid JSON: ${what}`,
          'Correct the syntax at this place; the last good configuration stays in force.',
        ),
      ],
    }
  }
  return { ok: true, value: { root, value: valueOf(root) } }
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
  knownKeys: string[],
  file: string | null,
  where: (path: (string | number)[]) => Position,
): Fault[] {
  return error.issues.flatMap((issue) => {
    const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
    if (issue.code !== 'unrecognized_keys') return [fault(file, path, where(path), issue.message, cureFor(issue))]
    return issue.keys.map((key) => {
      const guess = issue.path.length === 0 ? closest(key, knownKeys) : null
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

function cureFor(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return `Give a value of type ${issue.expected}.`
  if (issue.code === 'invalid_value') return `Use one of: ${issue.values.map(String).join(', ')}.`
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

function readable(code: string): string {
  return code
    .replace(/([A-Z])/g, ' $1')
    .trim()
    .toLowerCase()
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
