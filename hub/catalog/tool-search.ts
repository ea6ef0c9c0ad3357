import { DatabaseSync } from 'node:sqlite'
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
const WEIGHTS = '8.0, 6.0, 3.0, 2.0, 1.0'

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
  ['send', 'post', 'write', 'publish'],
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
]

const synonymsOf = new Map<string, Set<string>>()
for (const group of SYNONYMS)
  for (const word of group) {
    const set = synonymsOf.get(word) ?? new Set<string>()
    for (const other of group) if (other !== word) set.add(other)
    synonymsOf.set(word, set)
  }

/** A full-text index (SQLite FTS5, BM25) of tools, in memory. */
export function createToolSearch(tools: readonly Item[], serverOf: (tool: Item) => string): ToolSearch {
  const database = new DatabaseSync(':memory:')
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
      const expression = matchExpression(question)
      if (expression === null) return []
      return query.all(expression, limit).flatMap((row) => {
        const tool = tools[Number(row['id'])]
        return tool === undefined ? [] : [{ tool, score: -Number(row['rank']) }]
      })
    },
    close: () => database.close(),
  }
}

/** FTS5's own syntax must not come from a question: each word is quoted. Null when it has none. */
export function matchExpression(question: string): string | null {
  const all =
    words(question)
      .toLowerCase()
      .match(/[\p{L}\p{N}]+/gu)
      ?.slice(0, 50) ?? []
  const telling = all.filter((word) => !STOP_WORDS.has(word))
  const chosen = new Set(telling.length > 0 ? telling : all)
  for (const word of [...chosen]) for (const other of synonymsOf.get(singular(word)) ?? []) chosen.add(other)
  return chosen.size === 0 ? null : [...chosen].map((word) => `"${word}"`).join(' OR ')
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
