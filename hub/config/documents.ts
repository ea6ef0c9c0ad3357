import { join } from 'node:path'
import type { ConfigTexts, Fault } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say, type Words } from '../say.ts'
import { replaceEditedFile, sweepTemporaries, writeFileAtomic, writeNewFile } from './atomic-file.ts'
import { readConfigText } from './read-file.ts'
import type { ConfigVersions } from './versions.ts'
import { watchFiles } from './watch-files.ts'

/**
 * What people write, and what hubs keep beside it: what users.json was, approved tools, agreed programs, pushes, saved cases.
 */
export type DocumentName = keyof ConfigTexts | 'users' | KeptName
export type KeptName = 'user-versions' | 'pins' | 'exec-consents' | 'pushes' | 'saved-cases'

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
  write: (texts: readonly NewText[], by: string | null, reason: Words | null) => Promise<boolean>
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
  'user-versions': '',
  pins: '',
  'exec-consents': '',
  pushes: '',
  'saved-cases': '',
}

export const isKept = (document: DocumentName): document is KeptName => emptyTexts[document] === ''
/** Whether it belongs to the versions of the configuration. */
export const isConfig = (document: DocumentName): document is keyof ConfigTexts =>
  document !== 'users' && !isKept(document)

/** The files of a folder, and of another one what hubs keep beside them; whoever writes one there last is right. */
export async function openFiles(dir: string, dataDir = dir): Promise<Documents> {
  const fileOf = (document: DocumentName): string => join(isKept(document) ? dataDir : dir, `${document}.json`)
  await sweepTemporaries(dir)

  /** False for the first users of two that come at once: each would know an administrator of its own. */
  async function write(document: DocumentName, text: string, isFirst = false): Promise<boolean> {
    const file = fileOf(document)
    const write = async (): Promise<boolean> => {
      if (isFirst && document === 'users') return writeNewFile(file, text)
      await (isConfig(document) ? replaceEditedFile(file, text) : writeFileAtomic(file, text, 0o600))
      return true
    }
    return write().catch((error: unknown) => {
      const { code, message } = error as NodeJS.ErrnoException
      throw new HubError('HUB_CONFIG_NOT_SAVED', say`${file} could not be saved: ${message}`, {
        cure:
          code === 'ENOSPC'
            ? say`Free some space on that disk and save again; the file is as it was.`
            : say`Let the hub’s user write the file and its folder; the file is as it was.`,
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
          const { document, text, over } = change
          if (!(await write(document, text, over.ok && over.text === null))) return false
          written.push(change)
        }
      } catch (error) {
        for (const { document, over } of written.reverse())
          await write(document, (over.ok ? over.text : null) ?? emptyTexts[document]).catch(() => undefined)
        throw error
      }
      return true
    },
    // What a hub keeps is its own: nobody else writes it.
    watch: (documents, onChange) =>
      watchFiles(
        dir,
        documents.filter((document) => !isKept(document)).map((document) => `${document}.json`),
        onChange,
      ),
    dispose: () => Promise.resolve(),
  }
}
