import { splitSecrets } from '../config/secret-patterns.ts'
import type { ServerConfig } from '../contract/index.ts'

/**
 * Changes one text of an entry. `key` is what names the value there, `path` where it stands; `head` is what stands before it in
 * the same text, such as `--api-key=`.
 */
export type ChangeText = (key: string, path: string, value: string, head: string) => string

/** A copy of an entry with every text changed. An argument is named by the option before it or by itself. */
export function changeTexts(config: ServerConfig, change: ChangeText): ServerConfig {
  const entries = Object.entries(config).map(([key, value]): [string, unknown] =>
    key === 'args' && Array.isArray(value)
      ? [key, changeArguments(value as string[], change)]
      : [key, changeValue(key, key, value, change)],
  )
  return Object.fromEntries(entries) as ServerConfig
}

/** The secrets that somebody wrote into an entry in the clear. */
export function clearSecrets(config: ServerConfig): string[] {
  const found: string[] = []
  changeTexts(config, (key, _path, value) => {
    for (const segment of splitSecrets(key, value)) if (segment.secret) found.push(segment.text)
    return value
  })
  return found
}

function changeValue(key: string, path: string, value: unknown, change: ChangeText): unknown {
  if (typeof value === 'string') return change(key, path, value, '')
  if (Array.isArray(value)) return value.map((item, index) => changeValue(key, `${path}[${index}]`, item, change))
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, item]) => [name, changeValue(name, `${path}.${name}`, item, change)]),
    )
  return value
}

/** The arguments of an entry with every text changed: `--api-key`, `x` · `--api-key=x` · `--header=X-Api-Key: x` */
export function changeArguments(args: string[], change: ChangeText): string[] {
  return args.map((arg, index) => {
    const before = args[index - 1]
    const option = before !== undefined && /^--?[A-Za-z]/.test(before) && !before.includes('=') ? before : ''
    return changeArgument(option, arg, '', (key, value, head) => change(key, `args[${index}]`, value, head))
  })
}

function changeArgument(
  option: string,
  arg: string,
  before: string,
  change: (key: string, value: string, head: string) => string,
): string {
  // A URL has a colon too, but what comes before it names nothing.
  const [, head = '', name = '', value = ''] = /^(-{0,2}([A-Za-z][\w.-]*)(?:=|:(?!\/\/)\s*))(.+)$/s.exec(arg) ?? []
  return head === '' ? change(option, arg, before) : `${head}${changeArgument(name, value, before + head, change)}`
}
