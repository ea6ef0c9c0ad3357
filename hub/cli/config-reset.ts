import { stat } from 'node:fs/promises'
import path from 'node:path'
import { changesBetween } from '../config/changes.ts'
import { emptyTexts, type Documents } from '../config/documents.ts'
import { openDocuments } from '../config/open-documents.ts'
import { givenFolder, givenText } from '../config/read-settings.ts'
import { openConfigStore } from '../config/store.ts'
import { createConfigVersions, sameTexts, type ConfigVersions } from '../config/versions.ts'
import type { ConfigTexts } from '../contract/index.ts'
import { identityAct } from '../history/acts.ts'
import { say } from '../say.ts'
import { appendAudit } from './audit.ts'
import { CommandError, exitCodes, UsageError, type Command, type Values } from './command.ts'
import { consoleCaller, explain } from './open-identity.ts'
import { folderOptions } from './setting-options.ts'
import { settingsHere } from './settings-here.ts'

export const configResetCommand: Command = {
  name: 'config reset',
  summary: 'Servers, profiles and settings as a new hub has them; users and keys stay. It can be undone.',
  options: {
    yes: { type: 'boolean', help: 'do it; without this, only say what would change' },
    to: { type: 'string', value: 'ID', help: 'go back to this version of the configuration instead' },
    ...folderOptions,
  },
  async run(values, io) {
    const { given } = settingsHere(values, io)
    const configDir = path.resolve(givenFolder(given, 'CONFIG_DIR'))
    const dataDir = path.resolve(givenFolder(given, 'DATA_DIR'))
    const databaseUrl = givenText(given, 'DATABASE_URL') ?? null
    const found = await stat(configDir).catch(() => null)
    if (found?.isDirectory() !== true)
      throw new CommandError(
        `${configDir} is no folder.`,
        'Give the hub’s with --config or CONFIG_DIR.',
        exitCodes.config,
      )
    const from = { configDir, dataDir, databaseUrl, sources: undefined, log: () => undefined }
    const documents = await openDocuments(from).catch(explain)
    try {
      const versions = documents.versions ?? createConfigVersions(path.join(dataDir, 'versions'), refuse)
      const before = await writtenIn(documents)
      const wanted = await wantedBy(values, versions)
      if (sameTexts(before, wanted)) {
        io.out('The configuration is that already; nothing was done.\n')
        return exitCodes.ok
      }
      const changes = changesBetween(before, wanted).map(({ file, name, kind }) => `  ${file}: ${name} ${kind}\n`)
      io.out(changes.join(''))
      if (values['yes'] !== true) throw new UsageError('Nothing was done. Give --yes to do it.')
      // Kept before anything is written: what cannot be undone is not done.
      await versions.record(before, null, null)
      const [kept] = await versions.list()
      const by = consoleCaller()
      const reason =
        values['to'] === undefined ? say`Reset to the defaults` : say`Back to version ${String(values['to'])}`
      const store = await openConfigStore(documents)
      store.onVersion = (texts, author, why) => void versions.record(texts, author, why)
      await store.replace(wanted, { by: by.name, reason }).finally(store.dispose)
      await versions.list()
      // Of files that changed the hub's own audit log tells.
      if (databaseUrl !== null)
        await appendAudit(databaseUrl, [
          identityAct({ action: 'config.reset', by, details: { to: values['to'] ?? null } }),
        ])
      io.out(`Done. To undo it: mcp-hub config reset --yes --to ${String(kept?.id)}\n`)
      return exitCodes.ok
    } finally {
      await documents.dispose()
    }
  },
}

/** As it is written, broken or not. */
async function writtenIn(documents: Documents): Promise<ConfigTexts> {
  const textOf = async (name: keyof ConfigTexts): Promise<string> => {
    const found = await documents.read(name)
    if (!found.ok) throw new CommandError(found.fault.message, found.fault.cure, exitCodes.config)
    return found.text ?? emptyTexts[name]
  }
  return { servers: await textOf('servers'), system: await textOf('system'), profiles: await textOf('profiles') }
}

async function wantedBy({ to }: Values, versions: ConfigVersions): Promise<ConfigTexts> {
  if (to === undefined) return { servers: emptyTexts.servers, system: emptyTexts.system, profiles: emptyTexts.profiles }
  if (typeof to !== 'string' || !/^\d{1,9}$/.test(to)) throw new UsageError('--to is the number of a version.')
  const version = await versions.get(Number(to))
  if (version !== null) return version.files
  const ids = (await versions.list()).map(({ id }) => id)
  throw new CommandError(
    `There is no version ${to} of the configuration.`,
    ids.length === 0 ? 'None is kept.' : `There are: ${ids.slice(0, 20).join(', ')}.`,
    exitCodes.data,
  )
}

function refuse(error: unknown): never {
  throw new CommandError(
    `The version cannot be kept: ${error instanceof Error ? error.message : String(error)}. Nothing was done.`,
    'Let this user write the folder versions in DATA_DIR.',
    exitCodes.cannotCreate,
  )
}
