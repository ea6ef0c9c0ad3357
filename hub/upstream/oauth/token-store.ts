import { createHash } from 'node:crypto'
import { watch, type FSWatcher } from 'node:fs'
import { mkdir, readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../config/atomic-file.ts'
import { seal, sealedSchema, unseal } from '../../secrets/seal.ts'
import { withFileLock } from './file-lock.ts'
import { recordSchema, type AccountRecord } from './record.ts'

/** Where accounts are kept. Several hubs may share one store. */
export interface TokenStore {
  /** Stable name of a server's record that tells nothing of the server. */
  keyOf: (server: string) => string
  list: () => Promise<AccountRecord[]>
  read: (key: string) => Promise<AccountRecord | null>
  /** Changes a record while nobody else does, in this process or another; null removes it. */
  update: (
    key: string,
    change: (record: AccountRecord | null) => Promise<AccountRecord | null> | AccountRecord | null,
  ) => Promise<AccountRecord | null>
  /** Hears of records that were written, by this process or another. */
  watch: (onChange: (key: string) => void) => void
  close: () => void
}

const SUFFIX = '.account'

/** One file per account, readable to this user only. */
export async function openFileTokenStore(options: {
  dir: string
  /** Encrypts the files; without one only their mode protects them. */
  key: string | null
  onUnreadable: (file: string, message: string) => void
}): Promise<TokenStore> {
  const { dir, key: secret } = options
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const queues = new Map<string, Promise<unknown>>()
  let watcher: FSWatcher | null = null

  async function read(key: string): Promise<AccountRecord | null> {
    const file = join(dir, key + SUFFIX)
    let text: string
    try {
      text = await readFile(file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
    try {
      return recordSchema.parse(opened(JSON.parse(text)))
    } catch (error) {
      // Another key, or damage: the account counts as signed out, and the next sign-in replaces the file.
      options.onUnreadable(file, error instanceof Error ? error.message : String(error))
      return null
    }
  }

  /** What was written before there was a key can still be read. */
  function opened(content: unknown): unknown {
    const sealed = sealedSchema.safeParse(content)
    if (!sealed.success) return content
    const text = secret === null ? null : unseal(sealed.data, secret)
    if (text === null) throw new Error('it was encrypted with another key')
    return JSON.parse(text)
  }

  async function write(key: string, record: AccountRecord | null): Promise<void> {
    const file = join(dir, key + SUFFIX)
    if (record === null) await rm(file, { force: true })
    else
      await writeFileAtomic(
        file,
        secret === null ? JSON.stringify(record) : JSON.stringify(seal(JSON.stringify(record), secret)),
      )
  }

  return {
    keyOf: (server) => createHash('sha256').update(server).digest('hex').slice(0, 32),
    list: async () => {
      const files = (await readdir(dir)).filter((name) => name.endsWith(SUFFIX))
      const records = await Promise.all(files.map((name) => read(name.slice(0, -SUFFIX.length))))
      return records.filter((record) => record !== null)
    },
    read,
    update: (key, change) => {
      const work = (queues.get(key) ?? Promise.resolve()).then(() =>
        withFileLock(join(dir, `${key}.lock`), async () => {
          const before = await read(key)
          const after = await change(before)
          if (after !== before) await write(key, after)
          return after
        }),
      )
      const settled = work.catch(() => undefined)
      queues.set(key, settled)
      void settled.then(() => {
        if (queues.get(key) === settled) queues.delete(key)
      })
      return work
    },
    watch: (onChange) => {
      watcher = watch(dir, (_event, name) => {
        if (name?.endsWith(SUFFIX) === true) onChange(name.slice(0, -SUFFIX.length))
      })
      // Without notices an account of another process is found at the next refusal.
      watcher.on('error', () => watcher?.close())
    },
    close: () => watcher?.close(),
  }
}
