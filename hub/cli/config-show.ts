import path from 'node:path'
import { emptyTexts, openFiles, type Documents } from '../config/documents.ts'
import { effectiveSettings, type EffectiveSetting } from '../config/effective-settings.ts'
import { parseJsonc, type Parsed } from '../config/jsonc.ts'
import { parseSystemFile } from '../config/parse-system.ts'
import { givenFolder, givenText, type Given, type Origin } from '../config/read-settings.ts'
import type { SystemFile } from '../contract/index.ts'
import { exitCodes, type Command, type Io, type Values } from './command.ts'
import { settingOptions } from './setting-options.ts'
import { refuseFaults, settingsHere, sourcesHere } from './settings-here.ts'
import { tableOf } from './table.ts'

export const configShowCommand: Command = {
  name: 'config show',
  summary: 'Every setting that a hub started here would have; with --origin where each value comes from.',
  options: {
    origin: { type: 'boolean', help: 'show where each value comes from' },
    json: { type: 'boolean', help: 'print them as JSON, with their origins' },
    ...settingOptions,
  },
  async run(values, io) {
    const found = await readEffective(values, io)
    const withOrigin = values['origin'] === true
    if (values['json'] === true) io.out(`${JSON.stringify(found, null, 2)}\n`)
    else
      io.out(
        tableOf(
          ['Setting', 'Value', ...(withOrigin ? ['From'] : [])],
          found.map(({ name, value, origin }) => [
            name,
            value === null ? '–' : typeof value === 'string' ? value : JSON.stringify(value),
            ...(withOrigin ? [describeOrigin(origin)] : []),
          ]),
        ),
      )
    return exitCodes.ok
  },
}

async function readEffective(options: Values, io: Io): Promise<EffectiveSetting[]> {
  const { given, values } = settingsHere(options, io)
  const { file, text } = await readSystem(given)
  const { sources, dispose } = await sourcesHere(given, values)
  try {
    const system = valueOf(parseSystemFile(text, file, sources))
    const { root, value } = valueOf(parseJsonc(text, file))
    const production = values['NODE_ENV'] === 'production'
    const document = { file, text, root, system, written: value as SystemFile }
    return effectiveSettings(given, document, { mode: 'server', production })
  } finally {
    dispose()
  }
}

/** system.json where the hub would read it: in CONFIG_DIR, or in PostgreSQL once that has taken it over. */
async function readSystem(given: Given): Promise<{ file: string; text: string }> {
  const url = givenText(given, 'DATABASE_URL')
  const shared = url === undefined ? null : await openShared(url)
  const documents = shared ?? (await openFiles(path.resolve(givenFolder(given, 'CONFIG_DIR'))))
  const read = await documents.read('system').finally(documents.dispose)
  if (!read.ok) refuseFaults([read.fault])
  return { file: documents.placeOf('system'), text: (read.ok ? read.text : null) ?? emptyTexts.system }
}

async function openShared(url: string): Promise<Documents | null> {
  const { openPostgresDocuments } = await import('../config/postgres-documents.ts')
  const documents = await openPostgresDocuments({ url, onError: () => undefined })
  if (!(await documents.isEmpty())) return documents
  await documents.dispose()
  return null
}

function valueOf<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value
  refuseFaults(parsed.faults)
  throw new Error('A broken file has faults')
}

function describeOrigin(origin: Origin): string {
  if (origin.from === 'default') return 'default'
  if (origin.from === 'file') return [origin.file, origin.line].filter((part) => part !== null).join(':')
  return `${origin.from} ${origin.name}`
}
