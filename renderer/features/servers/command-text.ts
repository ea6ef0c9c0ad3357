import { isObject } from '../../lib/json.ts'

/** What an entry runs or reaches, word by word as a shell would take it, so that a person can judge it. */
export function commandText(config: unknown): string {
  if (!isObject(config)) return ''
  if (typeof config['url'] === 'string') return config['url']
  const { command, args } = config
  const words: unknown[] = [
    ...(command === undefined || command === '' ? [] : [command]),
    ...(Array.isArray(args) ? (args as unknown[]) : []),
  ]
  return words.map((word) => quote(String(word))).join(' ')
}

function quote(word: string): string {
  return /^[\w@%+=:,./~${}-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

export function isRemoteConfig(config: unknown): boolean {
  return isObject(config) && 'url' in config
}
