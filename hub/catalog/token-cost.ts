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
let knownCharacters = 0
const MAX_KNOWN_CHARACTERS = 20_000_000

/** Of longer texts the rest is taken to be like the beginning. */
const MAX_COUNTED = 20_000
/** What holds together, the tokenizer takes time for that grows with the square of its length; words are shorter. */
const MAX_RUN = 100
const RUN = /[\p{L}\p{M}]+|[^\s\p{L}\p{N}]+|\s+/gu

/**
 * What a tool or prompt costs in a client's context, in tokens: its name, description and input, as a model is given them. An
 * estimate where they are longer than any that is meant to be read.
 */
export function tokenCost(item: Item, count: CountTokens): number {
  const { name, description, inputSchema, arguments: parameters } = item
  const text = JSON.stringify({ name, description, inputSchema, arguments: parameters })
  const known = costs.get(text)
  if (known !== undefined) return known
  if (knownCharacters + text.length > MAX_KNOWN_CHARACTERS) {
    costs.clear()
    knownCharacters = 0
  }
  const counted = countShortRuns(text.slice(0, MAX_COUNTED), count)
  const cost = text.length > MAX_COUNTED ? Math.round((counted * text.length) / MAX_COUNTED) : counted
  costs.set(text, cost)
  knownCharacters += text.length
  return cost
}

function countShortRuns(text: string, count: CountTokens): number {
  let total = 0
  let from = 0
  for (const { 0: run, index } of text.matchAll(RUN))
    for (let at = MAX_RUN; at < run.length; at += MAX_RUN) {
      total += count(text.slice(from, index + at))
      from = index + at
    }
  return total + count(text.slice(from))
}
