import { join } from 'node:path'
import type { ConfigTexts, Fault } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { replaceEditedFile, sweepTemporaries, writeFileAtomic } from './atomic-file.ts'
import { readConfigText } from './read-file.ts'
import type { ConfigVersions } from './versions.ts'
import { watchFiles } from './watch-files.ts'

export type DocumentName = keyof ConfigTexts | 'users'

/** A text as it was read, null when there is none. Each change makes another version where hubs share the documents. */
export type ReadDocument = { ok: true; text: string | null; version: number } | { ok: false; fault: Fault }

export interface NewText {
  document: DocumentName
  text: string
  /** What it is to take the place of. */
  over: ReadDocument
}

/** Where the texts of the configuration are kept: files of this machine, or PostgreSQL for many. */
export interface Documents {
  /** Whether other hubs write them: what those did stands in the audit log and among the versions already. */
  readonly shared: boolean
  /** What a fault or a message calls a document. */
  placeOf: (document: DocumentName) => string
  /** Rejects with HUB_STORE_UNAVAILABLE when the place cannot be reached. */
  read: (document: DocumentName) => Promise<ReadDocument>
  /** All of them or none; false when one is not any more what it was to take the place of. */
  write: (texts: readonly NewText[], by: string | null, reason: string | null) => Promise<boolean>
  /** Calls back when one of them may be another than was read last. */
  watch: (documents: readonly DocumentName[], onChange: () => void) => { close: () => void }
  /** Where they are kept with the documents; else whoever opens them keeps versions beside. */
  readonly versions: ConfigVersions | null
  dispose: () => Promise<void>
}

/** What stands for a document that is not there. */
export const emptyTexts: Readonly<Record<DocumentName, string>> = {
  servers: '{\n  "mcpServers": {}\n}\n',
  system: '{}\n',
  profiles: '{\n  "profiles": {}\n}\n',
  users: '{\n  "users": []\n}\n',
}

/** The files of a folder; whoever writes one there last is right. */
export async function openFiles(dir: string): Promise<Documents> {
  const fileOf = (document: DocumentName): string => join(dir, `${document}.json`)
  await sweepTemporaries(dir)

  async function write(document: DocumentName, text: string): Promise<void> {
    const file = fileOf(document)
    const done = document === 'users' ? writeFileAtomic(file, text, 0o600) : replaceEditedFile(file, text)
    await done.catch((error: unknown) => {
      const { code, message } = error as NodeJS.ErrnoException
      throw new HubError('HUB_CONFIG_NOT_SAVED', `${file} could not be saved: ${message}`, {
        cure:
          code === 'ENOSPC'
            ? 'Free some space on that disk and save again; the file is as it was.'
            : 'Let the hub’s user write the file and its folder; the file is as it was.',
      })
    })
  }

  return {
    shared: false,
    versions: null,
    placeOf: fileOf,
    read: async (document) => {
      const found = await readConfigText(fileOf(document))
      return found.ok ? { ...found, version: 0 } : found
    },
    write: async (texts) => {
      const written: NewText[] = []
      try {
        for (const change of texts) {
          await write(change.document, change.text)
          written.push(change)
        }
      } catch (error) {
        for (const { document, over } of written.reverse())
          await write(document, (over.ok ? over.text : null) ?? emptyTexts[document]).catch(() => undefined)
        throw error
      }
      return true
    },
    watch: (documents, onChange) =>
      watchFiles(
        dir,
        documents.map((document) => `${document}.json`),
        onChange,
      ),
    dispose: () => Promise.resolve(),
  }
}
