import type { Page } from '@playwright/test'
import en from '../../../renderer/locales/en.json' with { type: 'json' }
import hubTexts from '../../../renderer/locales/hub.zh-CN.json' with { type: 'json' }

type Messages = string | { readonly [key: string]: Messages }

/** Accented and in brackets, in the same forms and with the same placeholders. */
export function pseudo(messages: Messages): Messages {
  if (typeof messages !== 'string')
    return Object.fromEntries(Object.entries(messages).map(([key, inner]) => [key, pseudo(inner)]))
  return messages
    .split(' | ')
    .map((form) => `⟦${form.replace(/\{[^}]*\}|[aeiou]/g, (part) => accents[part] ?? part)}⟧`)
    .join(' | ')
}
const accents: Readonly<Record<string, string>> = { a: 'á', e: 'é', i: 'í', o: 'ó', u: 'ú' }

const pseudoHub = Object.fromEntries(Object.keys(hubTexts).map((code) => [code, pseudo(code)]))

/** What may be read in English, and why. */
const ALLOWED = [
  // Names of products, protocols and formats.
  /MCP Hub|MCP|JSON|URL|HTTP|SSE|SSH|stdio|npx|PM2|Docker|nginx|systemd|Kubernetes|OpenAPI|curl|TypeScript|Python|Markdown/g,
  // How an address begins, of which the rest is data.
  /\bhttps:\/\//g,
  // What a key is called on the keyboard.
  /\b(?:Ctrl|Esc|Enter|Tab|Alt|Shift)\b/g,
  // Languages are named in themselves.
  /English/g,
  // What the library of messages says of its list, which is outside of what a page can word.
  /alt\+T \(alt\+T\)|alt\+T/g,
  // Browsers and systems that a session names.
  /Chrome|Linux|Node/g,
  // Units.
  /\b(?:ms|s|min|kB|KB|MB|GB|B|p50|p95)\b/g,
]

/** Fields in which the hub words something for people; all else that it answers is data. */
const WORDED = new Set([
  'message',
  'cure',
  'detail',
  'problem',
  'said',
  'reason',
  'why',
  ...['state', 'outcome', 'mode', 'severity'],
])

/** Every text of an answer that is data, by the words that it may be shown as. */
export function dataOf(value: unknown, data: Set<string>, key = ''): void {
  if (typeof value === 'string') {
    if (!WORDED.has(key)) for (const line of value.split('\n')) data.add(line.trim())
  } else if (Array.isArray(value)) for (const item of value) dataOf(item, data, key)
  else if (typeof value === 'object' && value !== null)
    for (const [name, inner] of Object.entries(value)) dataOf(inner, data, name)
}

/** The texts that one can see or hear, outside of code, and of what is marked as not to be translated. */
export function visibleTexts(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const apart = 'code, pre, kbd, samp, script, style, textarea, [translate="no"], .cm-editor'
    const seen = (element: Element): boolean => element.checkVisibility() && element.closest(apart) === null
    const texts = new Set<string>()
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement
      if (parent !== null && seen(parent)) texts.add(walker.currentNode.textContent ?? '')
    }
    for (const element of document.querySelectorAll('[aria-label], [title], [placeholder], [alt]'))
      if (seen(element))
        for (const name of ['aria-label', 'title', 'placeholder', 'alt']) texts.add(element.getAttribute(name) ?? '')
    return [...texts].map((text) => text.trim().replace(/\s+/g, ' ')).filter((text) => text !== '')
  })
}

/** What is left of a text without its translated parts and the data in it. */
export function untranslated(text: string, data: ReadonlySet<string>): string {
  // An example in an empty field.
  let rest = text.replace(/\bhub\.example\.com\b/g, ' ')
  for (let before = ''; before !== rest;) {
    before = rest
    rest = rest.replace(/⟦[^⟦⟧]*⟧/g, ' ')
  }
  const words = [...data].filter((word) => word.length > 1 && rest.includes(word))
  for (const word of words.toSorted((a, b) => b.length - a.length))
    rest = rest.replace(new RegExp(`(?<![\\p{L}\\p{N}])${RegExp.escape(word)}(?![\\p{L}\\p{N}])`, 'gu'), ' ')
  for (const pattern of ALLOWED) rest = rest.replace(pattern, ' ')
  return /\p{Script=Latin}{2}/u.test(rest) ? rest.trim() : ''
}

/** Has the page speak a language of which every text is known at a glance: in the place of Chinese, which it must be opened in. */
export async function speakPseudo(page: Page): Promise<void> {
  const answer = (messages: unknown) => ({
    contentType: 'text/javascript',
    body: `export default ${JSON.stringify(messages)}`,
  })
  await page.route(/\/assets\/zh-CN-[\w-]+\.js$/, (route) => route.fulfill(answer(pseudo(en))))
  await page.route(/\/assets\/hub\.zh-CN-[\w-]+\.js$/, (route) => route.fulfill(answer(pseudoHub)))
}
