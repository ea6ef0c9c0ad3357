import type { Item } from '../upstream/catalog.ts'

/** Counts the tokens of a text. */
export type CountTokens = (text: string) => number

let loaded: Promise<CountTokens> | null = null

/** The tokenizer o200k_base, loaded when first asked for: its table takes some ten megabytes of memory. */
export function loadTokenizer(): Promise<CountTokens> {
  loaded ??= import('gpt-tokenizer/encoding/o200k_base').then(
    ({ countTokens }) =>
      (text) =>
        // Names that look like the tokenizer's own control words are text like any other.
        countTokens(text, { disallowedSpecial: new Set() }),
  )
  return loaded
}

/** By the text: shown items are made anew with every change of a list. */
const costs = new Map<string, number>()
const MAX_KNOWN = 20_000

/** What a tool or prompt costs in a client's context: its name, description and input, as a model is given them. */
export function tokenCost(item: Item, count: CountTokens): number {
  const { name, description, inputSchema, arguments: parameters } = item
  const text = JSON.stringify({ name, description, inputSchema, arguments: parameters })
  const known = costs.get(text)
  if (known !== undefined) return known
  if (costs.size >= MAX_KNOWN) costs.clear()
  const cost = count(text)
  costs.set(text, cost)
  return cost
}
