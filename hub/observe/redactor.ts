import { parseExactly } from '../contract/exact-json.ts'
import { createValueSearch, type Found } from './value-search.ts'
import { secretForms } from './secret-forms.ts'

export const REDACTED = '[secret]'
/** So much of a secret at the end of a text is taken for one that was cut off. */
const CUT_OFF = 12
/** Values that no owner names any more, the newest. */
const MAX_RETIRED = 1_000
/** Larger values are looked at as a whole before each of their strings is. */
const SMALL = 20_000

/** Takes the known secret values out of whatever leaves the hub beside the calls: logs, events, errors, answers of the API. */
export interface Redactor {
  /**
   * What `owner` knows to be secret, in place of what it said before. The values of before stay masked for a long while: a
   * process that was started with one may still print it. Values of less than six characters cannot be masked.
   */
  know: (owner: string, values: Iterable<string>) => void
  text: (text: string) => string
  /** The first `max` characters. Cutting first could leave the beginning of a secret at the end. */
  head: (text: string, max: number) => string
  /** A copy with the secrets taken out of every string; the same value when there are none. */
  value: <T>(value: T) => T
  /** JSON, still valid, without the secrets. */
  json: (value: unknown) => string
}

export function createRedactor(values: Iterable<string> = []): Redactor {
  const known = new Map<string, string[]>([['', [...values]]])
  let retired: string[] = []
  /** Made on the first use after a change: many changes in a row cost one. */
  let search: ReturnType<typeof createValueSearch> | null = null

  function searcher(): ReturnType<typeof createValueSearch> {
    return (search ??= createValueSearch(new Set([...known.values(), retired].flat().flatMap(secretForms))))
  }

  function text(source: string): string {
    const { find, findCut } = searcher()
    let result = ''
    let end = 0
    for (let found: Found | null; (found = find(source, end)) !== null; end = found.end)
      result += source.slice(end, found.start) + REDACTED
    const rest = end === 0 ? source : source.slice(end)
    const cut = findCut(rest, CUT_OFF)
    if (cut !== null) return `${result}${rest.slice(0, cut)}${REDACTED}`
    return end === 0 ? source : result + rest
  }

  function walk(value: unknown): unknown {
    if (typeof value === 'string') return text(value)
    if (typeof value !== 'object' || value === null) return value
    if (Array.isArray(value)) {
      const items = value.map(walk)
      return items.every((item, index) => item === value[index]) ? value : items
    }
    const before = Object.entries(value)
    const after = before.map(([key, inner]) => [text(key), walk(inner)] as const)
    return after.every(([key, inner], index) => key === before[index]?.[0] && inner === before[index][1])
      ? value
      : Object.fromEntries(after)
  }

  const isClean = (json: string | undefined): boolean =>
    json === undefined || (json.length > SMALL && searcher().find(json, 0) === null)

  return {
    know: (owner, next) => {
      const list = [...new Set(next)]
      const before = known.get(owner) ?? []
      if (list.length === before.length && list.every((value, index) => value === before[index])) return
      const left = before.filter((value) => !list.includes(value))
      retired = [...retired.filter((value) => !left.includes(value)), ...left].slice(-MAX_RETIRED)
      if (list.length === 0) known.delete(owner)
      else known.set(owner, list)
      search = null
    },
    text,
    head: (source, max) => {
      const { longest } = searcher()
      if (source.length <= max + longest) return text(source).slice(0, max)
      const seen = text(source.slice(0, max + longest))
      return seen.slice(0, Math.min(max, Math.max(0, seen.length - longest)))
    },
    value: <T>(value: T): T => (isClean(JSON.stringify(value)) ? value : (walk(value) as T)),
    json: (value) => {
      const plain = JSON.stringify(value)
      return isClean(plain) ? plain : JSON.stringify(walk(parseExactly(plain)))
    },
  }
}
