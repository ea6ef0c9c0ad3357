/**
 * What V8 says of a text that is no JSON, in Chromium as under Node. What the browser of somebody else says is shown as it comes.
 */
const jsonCodes: readonly string[] = [
  'Unexpected end of JSON input',
  "Unexpected token '{0}', {1} is not valid JSON",
  '{0} is not valid JSON',
  ...[
    "Expected property name or '}'",
    'Expected double-quoted property name',
    "Expected ':' after property name",
    "Expected ',' or '}' after property value",
    "Expected ',' or ']' after array element",
    'Unterminated string',
    'Bad control character in string literal',
    'Bad escaped character',
    'Bad Unicode escape',
    'No number after minus sign',
    'Unterminated fractional number',
    'Exponent part is missing a number',
    'Unexpected number',
    'Unexpected string',
  ].map((what) => `${what} in JSON at position {0} (line {1} column {2})`),
  'Unexpected non-whitespace character after JSON at position {0} (line {1} column {2})',
]

/** What zod says by itself. */
const zodCodes: readonly string[] = [
  'Invalid input: expected {0}, received {1}',
  'Invalid option: expected one of {0}',
  ...['string to have', 'array to have'].flatMap((what) =>
    (what.startsWith('string') ? ['character', 'characters'] : ['item', 'items']).flatMap((unit) => [
      `Too small: expected ${what} >={0} ${unit}`,
      `Too big: expected ${what} <={0} ${unit}`,
    ]),
  ),
  ...['>', '>='].map((sign) => `Too small: expected number to be ${sign}{0}`),
  ...['<', '<='].map((sign) => `Too big: expected number to be ${sign}{0}`),
  'Invalid string: must match pattern {0}',
  'Invalid input: expected {0}',
  'Invalid input',
  'Unrecognized key: {0}',
  'Unrecognized keys: {0}',
  'Invalid key in {0}',
]

/** What the libraries say by themselves, in their order: the first that fits is taken. */
export const libraryCodes: readonly string[] = [...zodCodes, ...jsonCodes]
const patterns = libraryCodes.map((code) => ({
  code,
  pattern: new RegExp(`^${code.replace(/[.+?^$|()[\]\\]/g, '\\$&').replace(/\{\d\}/g, '(.+?)')}$`, 's'),
}))

/** What an issue of zod or an error of `JSON.parse` was made of: their own words, or a message of a schema, which is its own code. */
export function wordingOfIssue({ message }: { message: string }): { code: string; params: string[] } {
  for (const { code, pattern } of patterns) {
    const match = pattern.exec(message)
    if (match !== null) return { code, params: match.slice(1) }
  }
  return { code: message, params: [] }
}
