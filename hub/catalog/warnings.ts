import type { ToolWarning } from '../contract/index.ts'
import type { Item } from '../upstream/catalog.ts'
import { definitionOf } from './definition.ts'

/** Of one text, and of one tool: what is longer, or has more, is looked at as far as this. */
const MAX_TEXT = 100_000
const MAX_DEPTH = 64
const MAX_WARNINGS = 10
/** Characters shown before and after what was found. */
const AROUND = 40

/**
 * Characters that a person does not see and a model reads: tags, direction marks, zero-width ones, control characters.
 * A zero-width joiner is what emoji and some scripts are written with, so it counts beside a Latin letter only.
 */
const HIDDEN =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\u{e0000}-\u{e007f}]|[\w\s][\u200c\u200d]|[\u200c\u200d][\w\s]/u

/** Rules of thumb, each for one line of text: with them one finds the known attacks, and not every new one. */
const INSTRUCTIONS = [
  /\b(?:ignore|disregard|forget|override)\b.{0,20}\b(?:previous|prior|earlier|above|other|all)\b.{0,20}\b(?:instructions?|rules|prompts?|messages)\b/iu,
  /\b(?:do not|don['’]t|never)\b.{0,15}\b(?:tell|mention|inform|show|reveal|notify|ask)\b.{0,30}\b(?:user|human|person|anyone)\b/iu,
  /\bwithout\b.{0,15}\b(?:telling|informing|asking|notifying)\b.{0,20}\b(?:user|human|person|anyone)\b/iu,
  /<[\s/]{0,10}(?:important|system|secret|hidden|instructions?|admin)\s*>/iu,
  /\b(?:before|instead of|prior to)\b.{0,10}\b(?:using|calling|running|invoking)\b.{0,10}\b(?:any|all|every|other|another)\b.{0,15}\btools?\b/iu,
  /(?:忽略|无视|忘记).{0,10}(?:之前|以前|先前|以上|上面|其他|所有).{0,10}(?:指令|指示|规则|提示|消息)/u,
  /(?:不要|不得|不能|切勿|别)(?:告诉|告知|通知|提及|透露|询问).{0,8}(?:用户|任何人|他人)/u,
]
const SECRETS = [
  /\b(?:read|open|cat|load|send|include|pass|attach|upload|provide|copy|contents? of)\b.{0,60}(?:~?\/?\.ssh\b|\bid_(?:rsa|ed25519|ecdsa)\b|\.aws\/credentials|(?:^|[\s/`'"])\.env\b|\bmcp\.json\b|\/etc\/(?:passwd|shadow)\b|\bprivate keys?\b|\bkeychain\b)/iu,
  /(?:读取|打开|发送|附上|上传|包含).{0,30}(?:\.ssh|id_rsa|id_ed25519|\.env\b|私钥|\/etc\/passwd|mcp\.json)/u,
]

const RULES: readonly (readonly [ToolWarning['kind'], readonly RegExp[]])[] = [
  ['hidden', [HIDDEN]],
  ['instructions', INSTRUCTIONS],
  ['secrets', SECRETS],
]

const known = new WeakMap<Item, readonly ToolWarning[]>()

/**
 * What in a tool's definition a person should look at before a model reads it, by rules of thumb: in its description, and in every text
 * of its schemas, defaults and enums among them. No warning is no proof that a tool is harmless.
 */
export function warningsOf(tool: Item): readonly ToolWarning[] {
  let found = known.get(tool)
  if (found === undefined) {
    const all: ToolWarning[] = []
    look(definitionOf(tool), '', 0, all)
    known.set(tool, (found = all))
  }
  return found
}

function look(value: unknown, where: string, depth: number, found: ToolWarning[]): void {
  if (found.length >= MAX_WARNINGS || depth > MAX_DEPTH) return
  if (typeof value === 'string') lookAtText(value.slice(0, MAX_TEXT), where, found)
  else if (Array.isArray(value))
    for (const [index, part] of value.entries()) look(part, `${where}[${String(index)}]`, depth + 1, found)
  else if (typeof value === 'object' && value !== null)
    for (const [key, part] of Object.entries(value)) {
      const at = where === '' ? key : `${where}.${key}`
      lookAtText(key.slice(0, MAX_TEXT), at, found)
      look(part, at, depth + 1, found)
    }
}

function lookAtText(text: string, where: string, found: ToolWarning[]): void {
  for (const [kind, patterns] of RULES)
    for (const pattern of patterns) {
      const match = pattern.exec(text)
      if (match === null) continue
      found.push({ kind, where: visible(where), excerpt: excerptOf(text, match.index, match[0].length) })
      break
    }
}

/** Whole names, so that what is none is passed over once; a plain word may be anything. */
const NAME = /[A-Za-z][A-Za-z0-9]*(?:[_.-]+[A-Za-z0-9]+)*/gu
const LIKE_A_TOOL = /[_.-]|[a-z][A-Z][A-Za-z0-9]/u

const named = new WeakMap<Item, ReadonlyMap<string, number>>()

/** The names in a description, each with the place where it first stands. */
function namesIn(tool: Item, description: string): ReadonlyMap<string, number> {
  let names = named.get(tool)
  if (names === undefined) {
    const found = new Map<string, number>()
    for (const { 0: name, index } of description.slice(0, MAX_TEXT).matchAll(NAME))
      if (LIKE_A_TOOL.test(name) && !found.has(name)) found.set(name, index)
    named.set(tool, (names = found))
  }
  return names
}

/** The servers of each tool, by its own name and by the one on `/mcp`. */
export type ToolOwners = ReadonlyMap<string, ReadonlySet<string>>

/** A description that speaks of a tool which only other servers have: so one server's text can turn what another's tools are used for. */
export function namesOfOthers(server: string, tool: Item, owners: ToolOwners): ToolWarning[] {
  const { description } = tool
  if (typeof description !== 'string') return []
  for (const [name, index] of namesIn(tool, description)) {
    const others = owners.get(name)
    if (others !== undefined && !others.has(server))
      return [{ kind: 'otherServer', where: 'description', excerpt: excerptOf(description, index, name.length) }]
  }
  return []
}

function excerptOf(text: string, index: number, length: number): string {
  const start = Math.max(0, index - AROUND)
  const end = Math.min(text.length, index + Math.min(length, 120) + AROUND)
  return `${start > 0 ? '…' : ''}${visible(text.slice(start, end))}${end < text.length ? '…' : ''}`
}

/** What nobody would see is written as its code point. */
function visible(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu,
    (char) => `⟨U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}⟩`,
  )
}
