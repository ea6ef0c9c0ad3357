/** Of "JSON.parse source text access" (ES2026), which TypeScript's library does not declare yet. */
interface RawJson {
  rawJSON?: (text: string) => object
  isRawJSON?: (value: unknown) => boolean
}
const { rawJSON, isRawJSON } = JSON as RawJson

/**
 * What a number of 16 digits and more looks like on either side of its point, or an exponent of three. It is looked for in every
 * message, so it is one that is quick to find, and a second look ({@link LONG}) tells. Found in a string it only costs that.
 */
const SUSPICIOUS = /\d{8}(?:\d{8}|\.\d)|\.\d{8}|\d[eE][+-]?\d{3}/
/** A double keeps every decimal number of 15 digits, whatever else stands in them. */
const LONG = /\d[\d.]{15}|\d[eE][+-]?\d{3}/
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/g
/** No text has it by accident or on purpose: it is another one in each process. Made when it is needed, for it loads Web Crypto. */
let mark: string | undefined
const markOfNumbers = (): string => (mark ??= `number ${crypto.getRandomValues(new Uint32Array(4)).join('-')} `)

/**
 * `JSON.parse` for what is written again. A double holds integers up to 2^53 − 1, and 64-bit ids are larger; it holds 15 digits of a
 * fraction, and decimal libraries write more. A number whose value would come out as another one becomes an object that
 * `JSON.stringify` writes as it stood ({@link numberText}); how a number is written otherwise (`1.0`, `1e2`, `-0`) is not kept.
 * @throws {SyntaxError} as `JSON.parse` does
 */
export function parseExactly(text: string): unknown {
  if (rawJSON === undefined || !SUSPICIOUS.test(text) || !LONG.test(text)) return JSON.parse(text)
  const marked = markInexact(text)
  if (marked === text) return JSON.parse(text)
  let value: unknown
  try {
    value = JSON.parse(marked)
  } catch {
    // The error is to tell of the text that was given.
    return JSON.parse(text)
  }
  return unmark(value, rawJSON)
}

/** The digits of a number that {@link parseExactly} kept as they stood; null for any other value. */
export function numberText(value: unknown): string | null {
  return isRawJSON?.(value) === true ? JSON.stringify(value) : null
}

/** A number for reckoning, also one that {@link parseExactly} kept; NaN for any other value. */
export function toNumber(value: unknown): number {
  return Number(numberText(value) ?? (typeof value === 'number' ? value : NaN))
}

/**
 * The text with each number that a double would change as a list with a marked string: unlike a string, a list is no key of an
 * object, so that what is no JSON does not become some.
 */
function markInexact(text: string): string {
  let marked = ''
  let at = 0
  while (at < text.length) {
    const quote = text.indexOf('"', at)
    const between = text.slice(at, quote === -1 ? text.length : quote)
    marked += LONG.test(between)
      ? between.replace(NUMBER, (literal) => (isExactNumber(literal) ? literal : `["${markOfNumbers()}${literal}"]`))
      : between
    at = quote === -1 ? text.length : endOfString(text, quote)
    if (quote !== -1) marked += text.slice(quote, at)
  }
  return marked
}

/** After the closing quote, or the end of the text where there is none. */
function endOfString(text: string, quote: number): number {
  for (let at = text.indexOf('"', quote + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let backslashes = 0
    while (text[at - 1 - backslashes] === '\\') backslashes++
    if (backslashes % 2 === 0) return at + 1
  }
  return text.length
}

/** Whether a double holds the number that this is written for. */
export function isExactNumber(literal: string): boolean {
  const value = Number(literal)
  if (!Number.isFinite(value)) return false
  const written = String(value)
  return written === literal || canonical(written) === canonical(literal)
}

/** Digits and exponent of a number's text, so that `1.50`, `15e-1` and `1.5` are the same. */
function canonical(text: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text)
  if (match === null) return text
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
  const digits = (whole + fraction).replace(/^0+/, '')
  const trimmed = withoutTrailingZeros(digits)
  if (trimmed === '') return '0'
  return `${sign}${trimmed}e${Number(exponent) - fraction.length + (digits.length - trimmed.length)}`
}

/** No pattern: of one that is not bound to the beginning, many zeros in the middle cost their number squared. */
function withoutTrailingZeros(digits: string): string {
  let end = digits.length
  while (digits[end - 1] === '0') end--
  return digits.slice(0, end)
}

/** Walks without recursion: what may be nested as deep as `JSON.parse` reads it. */
function unmark(root: unknown, raw: (text: string) => object): unknown {
  const holder = [root]
  const containers: (unknown[] | Record<string, unknown>)[] = [holder]
  for (let container = containers.pop(); container !== undefined; container = containers.pop()) {
    for (const [key, value] of Object.entries(container)) {
      if (typeof value !== 'object' || value === null) continue
      const [only] = Array.isArray(value) ? (value as unknown[]) : []
      if (typeof only === 'string' && only.startsWith(markOfNumbers()))
        set(container, key, raw(only.slice(markOfNumbers().length)))
      else containers.push(value as Record<string, unknown>)
    }
  }
  return holder[0]
}

/** Assigning `__proto__` would do something else than `JSON.parse` did. */
function set(container: object, key: string, value: object): void {
  Object.defineProperty(container, key, { value, writable: true, enumerable: true, configurable: true })
}
