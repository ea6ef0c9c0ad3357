import { parseArgs, type ParseArgsOptionsConfig } from 'node:util'

/** The codes of sysexits.h that mean something here. */
export const exitCodes = {
  ok: 0,
  /** Of a comparison. */
  differs: 1,
  usage: 64,
  data: 65,
  unavailable: 69,
  software: 70,
  cannotCreate: 73,
  /** What was tried did not work, and what was before is in force again. */
  tookBack: 75,
  noPermission: 77,
  config: 78,
  /** Ctrl-C, or a service manager, as shells tell it. */
  interrupted: 130,
} as const

export interface Io {
  stdin: NodeJS.ReadableStream
  out(text: string): void
  err(text: string): void
  env: Readonly<Record<string, string | undefined>>
  /** Folder with the built `hub` and web UI. */
  distDir: string
  version: string
  signal: AbortSignal
}

export interface CommandOption {
  type: 'string' | 'boolean'
  /** Name of the value in the help, e.g. `DIR`. */
  value?: string
  help: string
}

export interface Command {
  /** As it is typed, e.g. `config check`. */
  name: string
  summary: string
  options: Readonly<Record<string, CommandOption>>
  /** What may stand behind the command without an option's name. */
  positional?: { name: string; help: string }
  run(values: Values, io: Io): Promise<number>
}

/** What a command line may be made of. */
type Syntax = Pick<Command, 'name' | 'options' | 'positional'> & { program?: string }
export type Values = Readonly<Record<string, string | boolean | undefined>>

/** What a person typed cannot be understood. */
export class UsageError extends Error {}

/** Something that a person can mend, with the exit code that says of what kind it is. */
export class CommandError extends Error {
  readonly cure: string
  readonly exitCode: number
  constructor(message: string, cure: string, exitCode: number) {
    super(message)
    this.cure = cure
    this.exitCode = exitCode
  }
}

export function parseOptions(command: Syntax, args: string[]): Values {
  const options: ParseArgsOptionsConfig = Object.fromEntries(
    [...Object.entries(command.options), ['help', { type: 'boolean', short: 'h' }] as const].map(([name, option]) => [
      name,
      'short' in option ? { type: option.type, short: option.short } : { type: option.type },
    ]),
  )
  const { tokens } = parseArgs({ args, options, strict: false, allowPositionals: true, tokens: true })
  let positional: string | undefined
  for (const token of tokens) {
    if (token.kind === 'positional') {
      if (command.positional === undefined || positional !== undefined)
        throw new UsageError(`Unexpected argument '${token.value}'.`)
      positional = token.value
    }
    if (token.kind === 'option' && !Object.hasOwn(options, token.name))
      throw new UsageError(`Unknown option '${token.rawName}'.${didYouMean(token.name, Object.keys(options), '--')}`)
  }
  try {
    const allowPositionals = command.positional !== undefined
    const values = parseArgs({ args, options, strict: true, allowPositionals }).values as Values
    return command.positional === undefined || positional === undefined
      ? values
      : { ...values, [command.positional.name]: positional }
  } catch (error) {
    throw new UsageError(error instanceof Error ? `${error.message.split('. ')[0] ?? ''}.` : String(error))
  }
}

export function requireOption(values: Values, name: string): string {
  const value = values[name]
  if (typeof value !== 'string' || value === '') throw new UsageError(`--${name} is missing.`)
  return value
}

export function didYouMean(typed: string, known: readonly string[], prefix = ''): string {
  const [best] = known
    .map((name) => ({ name, distance: editDistance(typed, name) }))
    .sort((a, b) => a.distance - b.distance)
  if (best === undefined || best.distance > Math.max(2, Math.floor(typed.length / 3))) return ''
  return ` Did you mean '${prefix}${best.name}'?`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(
        Math.min((next[j - 1] ?? 0) + 1, (row[j] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      )
    row = next
  }
  return row[b.length] ?? 0
}

export function usageLine({ name, options, positional, program = `mcp-hub ${name}` }: Syntax): string {
  const parts = Object.entries(options).map(
    ([option, { type, value }]) => `[--${option}${type === 'string' ? ` ${value ?? 'VALUE'}` : ''}]`,
  )
  if (positional !== undefined) parts.unshift(`[${positional.name.toUpperCase()}]`)
  return `Usage: ${program}${parts.length === 0 ? '' : ` ${parts.join(' ')}`}`
}

export function helpOf(command: Syntax & Pick<Command, 'summary'>): string {
  const rows = [
    ...(command.positional === undefined ? [] : [[command.positional.name.toUpperCase(), command.positional.help]]),
    ...Object.entries(command.options).map(([name, { type, value, help }]) => [
      `--${name}${type === 'string' ? ` ${value ?? 'VALUE'}` : ''}`,
      help,
    ]),
  ]
  const width = Math.max(0, ...rows.map(([left = '']) => left.length))
  return [
    command.summary,
    '',
    usageLine(command),
    '',
    ...rows.map(([left = '', right = '']) => `  ${left.padEnd(width)}  ${right}`),
    '',
  ].join('\n')
}
