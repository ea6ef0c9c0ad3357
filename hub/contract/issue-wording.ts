/** What zod says by itself. */
export const zodCodes: readonly string[] = [
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
]
const zodPatterns = zodCodes.map((code) => ({
  code,
  pattern: new RegExp(`^${code.replace(/[.+?^$|()[\]\\]/g, '\\$&').replace(/\{\d\}/g, '(.+?)')}$`),
}))

/** What an issue of zod was made of: its own words, or a message of a schema, which is its own code. */
export function wordingOfIssue({ message }: { message: string }): { code: string; params: string[] } {
  for (const { code, pattern } of zodPatterns) {
    const match = pattern.exec(message)
    if (match !== null) return { code, params: match.slice(1) }
  }
  return { code: message, params: [] }
}
