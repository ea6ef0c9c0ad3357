/** The more particular name comes first: nearly all of them also say Chrome and Safari. */
const browsers = [
  /Edg\/[\d]+/,
  /OPR\/[\d]+/,
  /Firefox\/[\d]+/,
  /HeadlessChrome\/[\d]+/,
  /Chrome\/[\d]+/,
  /Version\/[\d]+ .*Safari/,
]
const systems: readonly [RegExp, string][] = [
  [/iPhone|iPad/, 'iOS'],
  [/Android/, 'Android'],
  [/Windows/, 'Windows'],
  [/Mac OS X|Macintosh/, 'macOS'],
  [/Linux/, 'Linux'],
]

/** What a person recognises of a `User-Agent`: `Firefox 140, Linux`; its beginning when it is of another kind. */
export function browserOf(userAgent: string): string {
  const found = browsers.map((pattern) => pattern.exec(userAgent)?.[0]).find((text) => text !== undefined)
  const system = systems.find(([pattern]) => pattern.test(userAgent))?.[1]
  if (found === undefined) return userAgent.slice(0, 60)
  const name = found
    .replace(/^Version\/(\d+) .*$/, 'Safari $1')
    .replace('Edg/', 'Edge ')
    .replace('OPR/', 'Opera ')
    .replace('HeadlessChrome/', 'Chrome ')
    .replace('/', ' ')
  return system === undefined ? name : `${name}, ${system}`
}
