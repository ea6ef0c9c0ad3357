import type { Log } from '../observe/log.ts'
import { BrokenFile } from '../faults.ts'
import { say } from '../say.ts'
import { openFiles, type DocumentName, type Documents, type KeptName } from './documents.ts'
import type { Sources } from './interpolate.ts'

const all: readonly DocumentName[] = ['servers', 'system', 'profiles', 'users']
/** Taken over, too, but each where there is none yet: they are no reason to take over the configuration. */
const kept: readonly KeptName[] = ['pins', 'exec-consents', 'saved-cases']

/**
 * Where the configuration is: the files of a folder or, with `databaseUrl`, PostgreSQL, which takes over the files once. Throws
 * BrokenFile when those have faults, and HUB_STORE_UNAVAILABLE when PostgreSQL does not answer.
 */
export async function openDocuments(options: {
  configDir: string
  /** Where a hub keeps what belongs to no configuration. */
  dataDir: string
  databaseUrl: string | null
  sources: Sources | undefined
  log: Log
}): Promise<Documents> {
  const { configDir, databaseUrl, log } = options
  const files = await openFiles(configDir, options.dataDir)
  if (databaseUrl === null) return files
  const { openPostgresDocuments } = await import('./postgres-documents.ts')
  const documents = await openPostgresDocuments({
    url: databaseUrl,
    onError: (error) => log('warn', 'A connection to PostgreSQL was lost', { error: error.message }),
  })
  try {
    await takeOverKept(files, documents)
    if (!(await documents.isEmpty())) {
      log('info', 'The configuration is in PostgreSQL; files are not read', { configDir })
      return documents
    }
    const texts = await textsOf(files)
    if (texts.size > 0) await check(files, options.sources)
    if (texts.size > 0 && (await documents.adopt(texts, say`Taken over from ${configDir}`)))
      log('info', 'The configuration was taken over into PostgreSQL; from now on its files are not read', {
        files: [...texts.keys()].map(files.placeOf),
      })
    return documents
  } catch (error) {
    await documents.dispose()
    throw error
  }
}

async function takeOverKept(files: Documents, documents: Documents): Promise<void> {
  for (const document of kept) {
    const [mine, over] = [await files.read(document), await documents.read(document)]
    if (mine.ok && mine.text !== null && over.ok && over.text === null)
      await documents.write([{ document, text: mine.text, over }], null, null)
  }
}

async function textsOf(files: Documents): Promise<Map<DocumentName, string>> {
  const texts = new Map<DocumentName, string>()
  for (const document of all) {
    const found = await files.read(document)
    if (!found.ok) throw new BrokenFile([found.fault])
    if (found.text !== null) texts.set(document, found.text)
  }
  return texts
}

/** In the database nobody could correct them any more. */
async function check(files: Documents, sources: Sources | undefined): Promise<void> {
  const [{ openConfigStore }, { openIdentityFile }] = await Promise.all([
    import('./store.ts'),
    import('../auth/identity-file.ts'),
  ])
  const store = await openConfigStore(files, sources)
  await store.dispose()
  if (store.faults.length > 0) throw new BrokenFile(store.faults)
  await (await openIdentityFile(files)).dispose()
}
