import { randomBytes } from 'node:crypto'
import { chmod, chown, open, readFile, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { parseEnv } from 'node:util'
import { hubVariables } from '../publish/variables.ts'
import { CommandError, exitCodes, requireOption, UsageError, type Command } from './command.ts'

export const envCommand: Command = {
  name: 'env',
  summary: 'Create or complete the .env of a target; generates keys, keeps every value that is there.',
  options: {
    example: { type: 'string', value: 'FILE', help: 'the .env.example of the bundle' },
    out: { type: 'string', value: 'FILE', help: 'the .env to create or complete' },
    rotate: { type: 'string', value: 'NAME,…', help: 'generate new values for these, which were generated before' },
  },
  async run(values, io) {
    const example = await read(requireOption(values, 'example'))
    const out = path.resolve(requireOption(values, 'out'))
    if (example === null)
      throw new CommandError(
        `${String(values['example'])} does not exist.`,
        'Give the .env.example of the bundle.',
        exitCodes.usage,
      )
    const rotate = typeof values['rotate'] === 'string' ? values['rotate'].split(',') : []
    const foreign = rotate.find((name) => hubVariables.every((variable) => variable.name !== name))
    if (foreign !== undefined) throw new UsageError(`--rotate ${foreign}: only ${generatedNames} are generated.`)
    const before = await read(out)
    const generate = (): string => randomBytes(48).toString('base64url')
    const { text, generated } = completeEnvironment(example, before, generate, rotate)
    if (text !== before) await writePrivately(out, text)
    const now = parseEnv(text)
    const empty = Object.entries(now)
      .filter(([name, value]) => value === '' && !now[`${name}_FILE`])
      .map(([name]) => name)
    io.out(
      [
        `${before === null ? 'Created' : text === before ? 'Nothing to change in' : 'Completed'} ${out}`,
        ...(generated.length === 0 ? [] : [`Generated: ${generated.join(', ')}`]),
        ...(empty.length === 0 ? [] : [`Still empty: ${empty.join(', ')}`]),
        '',
      ].join('\n'),
    )
    return exitCodes.ok
  },
}

const generatedNames = hubVariables.map(({ name }) => name).join(', ')

/**
 * Adds what is missing at the end and generates what is empty or in `rotate`; every other line stays as a person wrote it. What
 * is given as a file (`JWT_SECRET_FILE=…`) is not missing: a hub refuses to start with both. Throws UsageError when it is in `rotate`.
 */
export function completeEnvironment(
  example: string,
  before: string | null,
  generate: () => string,
  rotate: readonly string[] = [],
): { text: string; generated: string[] } {
  let text = before ?? example
  const present = parseEnv(before ?? '')
  const fileOf = (name: string): string | undefined => present[`${name}_FILE`]
  for (const name of rotate)
    if (fileOf(name)) throw new UsageError(`--rotate ${name}: it is in a file. Put a new value into ${fileOf(name)}.`)
  if (before !== null) {
    for (const [block, name = ''] of example.matchAll(/(?:^#.*\n)*^([A-Za-z_]\w*)=.*\n/gm))
      if (!Object.hasOwn(present, name) && !fileOf(name)) text = `${text.replace(/\n*$/, '\n')}\n${block}`
  }
  const generated: string[] = []
  for (const variable of hubVariables) {
    const due = new RegExp(`^${variable.name}=${rotate.includes(variable.name) ? '.*' : '[ \\t]*'}$`, 'm')
    if (!due.test(text) || fileOf(variable.name)) continue
    text = text.replace(due, `${variable.name}=${generate()}`)
    generated.push(variable.name)
  }
  return { text, generated }
}

async function read(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new CommandError(
      `${file} cannot be read: ${(error as Error).message}`,
      'Run this as the owner of the file.',
      exitCodes.cannotCreate,
    )
  }
}

/** A new file is for its owner alone; one that exists keeps the owner and mode that somebody gave it. */
async function writePrivately(file: string, text: string): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`
  try {
    const existing = await stat(file).catch(() => null)
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (existing !== null) {
      await chmod(temporary, existing.mode & 0o777)
      if (process.getuid?.() === 0) await chown(temporary, existing.uid, existing.gid)
    }
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw new CommandError(
      `${file} cannot be written: ${(error as Error).message}`,
      'Check that the folder exists and is yours.',
      exitCodes.cannotCreate,
    )
  }
}
