import type { DatabaseSync } from 'node:sqlite'
import { isObject } from '../gateway/json-rpc.ts'
import type { Item } from '../upstream/catalog.ts'

export interface Hit {
  /** As clients see it. */
  tool: Item
  /** Greater is better; comparable only within one search. */
  score: number
}

export interface ToolSearch {
  /** The best tools for a question in plain words, best first. */
  search: (question: string, limit: number) => Hit[]
  close: () => void
}

/** Weights of BM25 by column: name, title, server, description, parameters. */
const WEIGHTS = '4.0, 3.0, 4.0, 4.0, 1.0'

/** Words that say nothing about which tool is meant. */
const STOP_WORDS = new Set(
  'a an and are as at be by can do does for from get give has have how i in into is it its let like make me my need of on or our please show that the their them then there these this to up us use using want was we what when where which who will with you your'.split(
    ' ',
  ),
)

/** Other words for what tools are called; both sides are found by either. */
const SYNONYMS: readonly (readonly string[])[] = [
  ['create', 'add', 'new', 'open', 'insert', 'make'],
  ['delete', 'remove', 'drop', 'erase', 'destroy'],
  ['update', 'edit', 'change', 'modify', 'set', 'rename'],
  ['list', 'all', 'enumerate', 'browse'],
  ['search', 'find', 'query', 'lookup', 'look'],
  ['read', 'fetch', 'view', 'retrieve', 'load'],
  ['send', 'post', 'publish'],
  ['write', 'save', 'store'],
  ['run', 'execute', 'start', 'launch', 'trigger'],
  ['file', 'document'],
  ['folder', 'directory'],
  ['issue', 'ticket', 'bug'],
  ['pull request', 'merge request', 'pr'],
  ['repo', 'repository'],
  ['message', 'dm', 'chat'],
  ['mail', 'email'],
  ['picture', 'image', 'photo', 'screenshot'],
  ['page', 'website', 'url', 'web'],
  ['user', 'member', 'person', 'people'],
  ['meeting', 'event', 'appointment', 'calendar'],
  ['payment', 'charge', 'invoice', 'billing'],
  ['error', 'exception', 'crash', 'failure'],
  ['deploy', 'release', 'rollout', 'ship'],
  ['sql', 'database', 'table'],
  ['cost', 'spend', 'spent', 'price'],
  ['song', 'track', 'music'],
  ['close', 'resolve', 'complete', 'finish', 'done'],
  ['answer', 'reply', 'respond'],
  ['show', 'display', 'get'],
]
/** What another word for one in the question counts for, beside the word itself. */
const SYNONYM_WEIGHT = 0.3
/** How many rows are ranked by the words and by their synonyms before both are added up. */
const CANDIDATES = 300

const synonymsOf = new Map<string, Set<string>>()
for (const group of SYNONYMS)
  for (const word of group) {
    const set = synonymsOf.get(word) ?? new Set<string>()
    for (const other of group) if (other !== word) set.add(other)
    synonymsOf.set(word, set)
  }

/** A full-text index (SQLite FTS5, BM25) of tools, in memory. */
export function createToolSearch(tools: readonly Item[], serverOf: (tool: Item) => string): ToolSearch {
  // Not imported: hubs without tool search do not load it.
  const database: DatabaseSync = new (process.getBuiltinModule('node:sqlite').DatabaseSync)(':memory:')
  database.exec(
    "CREATE VIRTUAL TABLE tool USING fts5(name, title, server, description, parameters, tokenize = 'porter unicode61')",
  )
  const insert = database.prepare(
    'INSERT INTO tool (rowid, name, title, server, description, parameters) VALUES (?, ?, ?, ?, ?, ?)',
  )
  database.exec('BEGIN')
  tools.forEach((tool, index) => {
    const server = serverOf(tool)
    const name = text(tool['name']).replace(`${server}__`, '')
    insert.run(index, words(name), text(tool['title']), words(server), text(tool['description']), parameters(tool))
  })
  database.exec('COMMIT')
  const query = database.prepare(
    `SELECT rowid AS id, bm25(tool, ${WEIGHTS}) AS rank FROM tool WHERE tool MATCH ? ORDER BY rank, rowid LIMIT ?`,
  )

  return {
    search: (question, limit) => {
      const { asked, related } = termsOf(question)
      const scores = new Map<number, number>()
      for (const [terms, weight] of [[asked, 1] as const, [related, SYNONYM_WEIGHT] as const]) {
        if (terms.length === 0) continue
        for (const row of query.all(matchExpression(terms), CANDIDATES)) {
          const id = Number(row['id'])
          scores.set(id, (scores.get(id) ?? 0) - weight * Number(row['rank']))
        }
      }
      return [...scores]
        .sort(([first, a], [second, b]) => b - a || first - second)
        .slice(0, limit)
        .flatMap(([id, score]) => {
          const tool = tools[id]
          return tool === undefined ? [] : [{ tool, score }]
        })
    },
    close: () => database.close(),
  }
}

/** FTS5's own syntax must not come from a question: each term is quoted. */
function matchExpression(terms: readonly string[]): string {
  return terms.map((term) => `"${term}"`).join(' OR ')
}

/** The telling words of a question, and other words for them. */
export function termsOf(question: string): { asked: string[]; related: string[] } {
  const all =
    words(question)
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu)
      ?.slice(0, 50) ?? []
  const telling = all.filter((word) => !STOP_WORDS.has(word))
  const asked = new Set(telling.length > 0 ? telling : all)
  const related = new Set([...asked].flatMap((word) => [...(synonymsOf.get(singular(word)) ?? [])]))
  return { asked: [...asked], related: [...related].filter((word) => !asked.has(word)) }
}

function singular(word: string): string {
  return word.length > 3 && word.endsWith('s') && !word.endsWith('ss') ? word.slice(0, -1) : word
}

/** `getPullRequest_v2` as `get Pull Request v2`. */
function words(name: string): string {
  return name.replace(/([\p{Ll}\p{N}])(\p{Lu})/gu, '$1 $2').replace(/[_\-./]+/g, ' ')
}

function parameters(tool: Item): string {
  const schema = tool['inputSchema']
  if (!isObject(schema) || !isObject(schema['properties'])) return ''
  return Object.entries(schema['properties'])
    .map(([name, property]) => `${words(name)} ${isObject(property) ? text(property['description']) : ''}`)
    .join(' ')
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
