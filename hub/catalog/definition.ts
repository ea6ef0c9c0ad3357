import { createHash } from 'node:crypto'
import type { Item } from '../upstream/catalog.ts'

/** What of a tool's or prompt's definition an assistant acts on: a change of it is worth a person's look. */
const KEYS = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations', 'arguments'] as const

/** The part of a definition that is pinned, with keys in one order. */
export function definitionOf(item: Item): Item {
  return Object.fromEntries(KEYS.filter((key) => item[key] !== undefined).map((key) => [key, item[key]]))
}

/** Not a name that the specification allows a tool. */
const INSTRUCTIONS = '(instructions)'

/**
 * What a server tells every model, as what is pinned like a tool's definition. Also where it tells nothing, so that what it
 * begins to tell later is a change.
 */
export function instructionsItem(text: string | null): Item {
  return { name: INSTRUCTIONS, description: text ?? '' }
}

const hashes = new WeakMap<Item, string>()

/** A hash of a tool's or prompt's definition that does not depend on the order of its keys. */
export function definitionHash(item: Item): string {
  const known = hashes.get(item)
  if (known !== undefined) return known
  const hash = createHash('sha256')
    .update(canonicalJson(definitionOf(item)))
    .digest('base64url')
    .slice(0, 22)
  hashes.set(item, hash)
  return hash
}

function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  )
}
