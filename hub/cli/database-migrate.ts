import { givenText } from '../config/read-settings.ts'
import { CommandError, exitCodes, UsageError, type Command } from './command.ts'
import { explain } from './open-identity.ts'
import { settingsHere } from './settings-here.ts'

export const databaseMigrateCommand: Command = {
  name: 'database migrate',
  summary: 'Bring the tables of DATABASE_URL to the form of this version, for hubs whose role may not.',
  options: {},
  async run(values, io) {
    const url = givenText(settingsHere(values, io).given, 'DATABASE_URL')
    if (url === undefined) throw new UsageError('DATABASE_URL (or DATABASE_URL_FILE) is not set.')
    const options = { url, onError: () => undefined }
    const { migratePostgresDocuments } = await import('../config/postgres-documents.ts')
    await migratePostgresDocuments(options).catch(explain)
    const { migratePostgresStore } = await import('../history/postgres-store.ts')
    await migratePostgresStore(options).catch((error: unknown) => {
      throw new CommandError(
        `PostgreSQL refuses it: ${(error as Error).message}`,
        'Use the role that owns the tables.',
        exitCodes.noPermission,
      )
    })
    io.out('The tables have the form of this version.\n')
    return exitCodes.ok
  },
}
