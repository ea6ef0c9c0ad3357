/**
 * Finds secrets that a person wrote into a configuration in the clear. It errs on the side of finding one: a value that is
 * lifted by mistake has to be given once more, a secret that is overlooked is published.
 */

export interface Segment {
  text: string
  secret: boolean
  /** What a secret inside a longer value is called there, e.g. the query parameter that carries it. */
  name?: string
}

const REFERENCE = /\$\{[^}]*\}/

/** Tokens whose issuer gave them a form of their own, wherever they stand in a text. */
const KNOWN_TOKEN = new RegExp(
  [
    'gh[pousr]_[A-Za-z0-9]{16,}',
    'github_pat_[A-Za-z0-9_]{20,}',
    'gl(?:pat|dt|rt|ptt|soat)-[A-Za-z0-9_-]{16,}',
    'sk-[A-Za-z0-9_-]{16,}',
    '(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{10,}',
    'whsec_[A-Za-z0-9+/=]{16,}',
    'xox[abeoprs]-[A-Za-z0-9-]{10,}',
    'xapp-[A-Za-z0-9-]{10,}',
    '(?:AKIA|ASIA)[A-Z0-9]{16}',
    'AIza[A-Za-z0-9_-]{30,}',
    'ya29\\.[A-Za-z0-9_-]{20,}',
    'GOCSPX-[A-Za-z0-9_-]{20,}',
    'npm_[A-Za-z0-9]{30,}',
    'pypi-[A-Za-z0-9_-]{30,}',
    'hf_[A-Za-z0-9]{20,}',
    'do[opr]_v1_[a-f0-9]{32,}',
    'SG\\.[A-Za-z0-9_-]{16,}\\.[A-Za-z0-9_-]{16,}',
    'shp(?:at|ca|pa|ss)_[A-Fa-f0-9]{24,}',
    'lin_api_[A-Za-z0-9]{24,}',
    'ntn_[A-Za-z0-9]{24,}',
    'tvly-[A-Za-z0-9-]{16,}',
    'fig[dou]_[A-Za-z0-9_-]{20,}',
    'xai-[A-Za-z0-9]{20,}',
    'gsk_[A-Za-z0-9]{20,}',
    'r8_[A-Za-z0-9]{20,}',
    'pplx-[A-Za-z0-9]{20,}',
    'apify_api_[A-Za-z0-9]{20,}',
    'ATATT3[A-Za-z0-9_=-]{20,}',
    'sntrys_[A-Za-z0-9_=+/-]{20,}',
    'gl(?:sa|c)_[A-Za-z0-9_=-]{20,}',
    'dapi[a-f0-9]{32}',
    'PMAK-[a-f0-9]{24}-[a-f0-9]{34}',
    'AGE-SECRET-KEY-1[A-Z0-9]{50,}',
    'eyJ[A-Za-z0-9_-]{8,}\\.eyJ[A-Za-z0-9_-]{8,}\\.[A-Za-z0-9_-]*',
  ]
    .map((token) => `(?<![A-Za-z0-9])${token}`)
    .join('|'),
  'g',
)

const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----/
/** Names that end in a word for a secret; the short words must stand alone, the long ones may be glued (`PGPASSWORD`). */
const SECRET_NAME =
  /(?:token|secret|password|passwd|passphrase|apikey|credentials?|authorization)$|(?:^|_)(?:key|pass|pwd|pat|auth|dsn|sas|jwt|cookie|bearer|connection_string|webhook_url)$/
const HARMLESS_NAME = /(?:public|primary|foreign|sort|cache|partition|idempotency)_?key$/
const HARMLESS_VALUE = /^(?:true|false|yes|no|on|off|none|null|\d{1,5})$/i
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** True when this value should not be kept in a plain file. A value that only refers to a secret is none. */
export function looksLikeSecret(key: string, value: string): boolean {
  return splitSecrets(key, value).some((segment) => segment.secret)
}

/** The value in pieces, so that only the secret part is replaced: `Bearer x`, a URL's password, a query parameter. */
export function splitSecrets(key: string, value: string): Segment[] {
  return merge(split(key, value))
}

function split(key: string, value: string): Segment[] {
  if (value === '') return []
  if (PRIVATE_KEY.test(value)) return [{ text: value, secret: true }]
  if (REFERENCE.test(value)) return splitAround(value)
  const scheme = /^((?:bearer|basic|token|apikey)\s+)(\S+)$/i.exec(value)
  if (scheme !== null) return [plain(scheme[1]), hidden(scheme[2])]
  if (namesSecret(key) && !HARMLESS_VALUE.test(value) && !isPath(value)) return [{ text: value, secret: true }]
  const url = splitUrl(value)
  if (url !== null) return url
  const known = splitKnownTokens(value)
  if (known.some((segment) => segment.secret)) return known
  return [{ text: value, secret: looksRandom(value) }]
}

/** The text between references is judged by itself, without the key: `Bearer ${secret:X}` is clean. */
function splitAround(value: string): Segment[] {
  return value
    .split(/(\$\{[^}]*\})/)
    .flatMap((part) => (REFERENCE.test(part) ? [{ text: part, secret: false }] : splitKnownTokens(part)))
}

function splitKnownTokens(value: string): Segment[] {
  const segments: Segment[] = []
  let end = 0
  for (const match of value.matchAll(KNOWN_TOKEN)) {
    segments.push(plain(value.slice(end, match.index)), hidden(match[0]))
    end = match.index + match[0].length
  }
  segments.push(plain(value.slice(end)))
  return segments
}

/** Null when the value is no URL. The text is cut, not parsed and written anew, so that nothing else of it changes. */
function splitUrl(value: string): Segment[] | null {
  const match = /^([a-z][a-z0-9+.-]*:\/\/)([^\s]*)$/i.exec(value)
  if (match === null) return null
  const [, start = '', rest = ''] = match
  // A raw slash in a password is against the standard, but database drivers take it.
  const userInfo = /^https?:/i.test(start)
    ? /^([^\s:@/?#]*)(:?)([^\s@/?#]*)@/.exec(rest)
    : /^([^\s:@/?#]*)(:?)(\S*)@/.exec(rest)
  const segments: Segment[] = [plain(start)]
  let tail = rest
  if (userInfo !== null) {
    const [whole, user = '', colon = '', password = ''] = userInfo
    // `https://TOKEN@host` has the secret in the place of the user.
    segments.push(
      ...(colon === '' ? splitKnownTokens(user) : [plain(user)]),
      plain(colon),
      { ...hidden(password), name: 'password' },
      plain('@'),
    )
    tail = rest.slice(whole.length)
  }
  const [path = '', ...query] = tail.split(/([?&#])/)
  // Some hosted servers take the key as a part of the path.
  for (const part of path.split(/(\/)/)) segments.push(...(looksRandom(part) ? [hidden(part)] : splitKnownTokens(part)))
  for (const part of query) {
    const pair = /^([^=]*)=(.*)$/s.exec(part)
    if (pair === null) segments.push(...splitKnownTokens(part))
    else
      segments.push(
        plain(`${pair[1] ?? ''}=`),
        ...split(pair[1] ?? '', pair[2] ?? '').map((segment) => ({ ...segment, name: pair[1] ?? '' })),
      )
  }
  return segments
}

/** `apiKey`, `API-KEY` and `api_key2` are one name. */
function namesSecret(key: string): boolean {
  const name = key
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase()
    .replace(/_?\d*$/, '')
  return SECRET_NAME.test(name) && !HARMLESS_NAME.test(name)
}

/** `GOOGLE_APPLICATION_CREDENTIALS=/etc/key.json` names where the secret is, it is not the secret. */
function isPath(value: string): boolean {
  return (
    /^(?:~?\/|\.{1,2}\/|[A-Za-z]:[\\/])[\w .@\\/-]+$/.test(value) &&
    (/[\\/].*[\\/]/.test(value) || /\.\w{1,6}$/.test(value))
  )
}

function looksRandom(value: string): boolean {
  if (UUID.test(value) || isPath(value)) return false
  if (/^[0-9a-f]{32,}$/i.test(value)) return entropy(value) >= 3
  const digits = value.replace(/\D/g, '').length
  if (/^[a-z0-9]{32,}$/.test(value)) return digits >= 5 && entropy(value) >= 3.5
  const mixed = /[a-z]/.test(value) && /[A-Z]/.test(value) && digits >= 3
  return /^[A-Za-z0-9+/_=.~-]{24,}$/.test(value) && mixed && entropy(value) >= 3.8
}

/** Shannon entropy in bits per character. */
function entropy(value: string): number {
  const counts = new Map<string, number>()
  for (const char of value) counts.set(char, (counts.get(char) ?? 0) + 1)
  return [...counts.values()].reduce((sum, count) => sum - (count / value.length) * Math.log2(count / value.length), 0)
}

function plain(text = ''): Segment {
  return { text, secret: false }
}

function hidden(text = ''): Segment {
  return { text, secret: true }
}

function merge(segments: Segment[]): Segment[] {
  const merged: Segment[] = []
  for (const segment of segments.filter(({ text }) => text !== '')) {
    const last = merged.at(-1)
    if (last !== undefined && last.secret === segment.secret) last.text += segment.text
    else merged.push({ ...segment })
  }
  return merged
}
