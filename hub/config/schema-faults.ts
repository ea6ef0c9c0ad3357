import type { z } from 'zod'
import type { Fault } from '../contract/index.ts'
import { saidOfIssue, say, saying, wordsFrom, type Said } from '../say.ts'
import { interpolate, referencesInText, type Sources } from './interpolate.ts'
import { fault, parseJsonc, positionOf, type Parsed, type Position } from './jsonc.ts'
import { keysAt } from './schema-shape.ts'

/**
 * A document of one schema as text. With `sources` every `${…}` in it gets its value; one that has none is a fault. With
 * `unresolved` a text that holds one stays as it is, whatever the schema asks of its value.
 */
export function parseWith<T>(
  schema: z.ZodObject & z.ZodType<T>,
  text: string,
  file: string | null,
  sources?: Sources | 'unresolved',
): Parsed<T> {
  const parsed = parseJsonc(text, file)
  if (!parsed.ok) return parsed
  const { root, value } = parsed.value
  const where = (path: (string | number)[]): Position => positionOf(text, root, path)
  const faults: Fault[] = []
  if (sources === 'unresolved') {
    const result = schema.safeParse(withoutReferences(value))
    const issues = (result.error?.issues ?? []).filter(({ path }) => !isReference(valueAt(value, path)))
    if (issues.length > 0) return { ok: false, faults: faultsOf({ issues }, [], schema, file, where) }
    return { ok: true, value: (result.success ? withTexts(result.data, value) : value) as T }
  }
  const result = schema.safeParse(sources === undefined ? value : resolveTexts(value, sources, []))
  // A value that is missing is told once, as that.
  if (!result.success && faults.length === 0) faults.push(...faultsOf(result.error, [], schema, file, where))
  if (faults.length > 0 || !result.success) return { ok: false, faults }
  return { ok: true, value: result.data }

  function resolveTexts(inner: unknown, from: Sources, path: (string | number)[]): unknown {
    if (typeof inner === 'string') {
      const found = interpolate(inner, from)
      for (const problem of found.problems)
        faults.push(fault(file, path, where(path), wordsFrom(problem, 'message'), wordsFrom(problem, 'cure')))
      return found.text
    }
    if (Array.isArray(inner)) return inner.map((item, index) => resolveTexts(item, from, [...path, index]))
    if (!isObject(inner)) return inner
    return Object.fromEntries(
      Object.entries(inner).map(([key, item]) => [key, resolveTexts(item, from, [...path, key])]),
    )
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isReference = (value: unknown): boolean => typeof value === 'string' && referencesInText(value).length > 0

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown> | null | undefined)?.[key], value)

function withoutReferences(value: unknown): unknown {
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => (isReference(inner) ? [] : [[key, withoutReferences(inner)]])),
  )
}

/** What was checked, with the texts that could not be. */
function withTexts(checked: unknown, written: unknown): unknown {
  if (!isObject(checked) || !isObject(written)) return checked
  return Object.fromEntries([
    ...Object.entries(checked).map(([key, inner]) => [key, withTexts(inner, written[key])] as const),
    ...Object.entries(written).filter(([, inner]) => isReference(inner)),
  ])
}

export function faultsOf(
  error: Pick<z.ZodError, 'issues'>,
  base: (string | number)[],
  schema: z.ZodType,
  file: string | null,
  where: (path: (string | number)[]) => Position,
): Fault[] {
  // A key that is not known often is the one that is missing, misspelt.
  const unknownFirst = error.issues.toSorted((a, b) => rank(a) - rank(b))
  return unknownFirst.flatMap((issue) => {
    const path = [...base, ...issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part))]
    if (issue.code !== 'unrecognized_keys') return [fault(file, path, where(path), saidOfIssue(issue), cureFor(issue))]
    const knownKeys = keysAt(schema, path.slice(base.length))
    return issue.keys.map((key) => {
      const guess = closest(key, knownKeys)
      return fault(
        file,
        [...path, key],
        where([...path, key]),
        say`Unknown key ${key}`,
        guess === null ? unknownKeyCure() : say`Did you mean ${guess}?`,
      )
    })
  })
}

/** Where nothing that is known is like it. */
export const UNKNOWN_KEY_CURE = 'Remove it, or correct its spelling.'
const unknownKeyCure = saying('Remove it, or correct its spelling.')

const rank = ({ code }: z.core.$ZodIssue): number => (code === 'unrecognized_keys' ? 0 : 1)

function cureFor(issue: z.core.$ZodIssue): Said {
  if (issue.code === 'invalid_type') return say`Give a value of type ${issue.expected}.`
  if (issue.code === 'invalid_value') return say`Use one of: ${issue.values.map(String).join(', ')}.`
  if (issue.code === 'too_small') return say`Give at least ${String(issue.minimum)}.`
  if (issue.code === 'too_big') return say`Give at most ${String(issue.maximum)}.`
  return say`Correct the value.`
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
