import { randomBytes } from 'node:crypto'
import { chmod, lstat, readFile, rename, rm } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../hub/config/atomic-file.ts'
import type { SecretBox } from './secret-box.ts'

const contentSchema = z.object({ clientToken: z.string().min(32), secrets: z.record(z.string(), z.string()) })
type Content = z.infer<typeof contentSchema>

/** The secrets of this user: the token of the clients on this computer, and the values of `${secret:NAME}`. */
export interface Vault {
  /** `os`: sealed by the keychain. `file`: in a file that only this user can read, which Settings says. */
  readonly quality: 'os' | 'file'
  readonly location: string
  readonly clientToken: string
  readonly secrets: Readonly<Record<string, string>>
  /** What the page should tell once, e.g. that secrets are in a keychain that is not there now; null when all is well. */
  readonly notice: VaultNotice | null
  /** Keeps a value, or forgets it when it is null. */
  keep: (name: string, value: string | null) => Promise<void>
}

/** `sealed-away`: another vault is sealed by a keychain that is not there now. `unreadable`: the vault could not be opened and lies beside. */
export interface VaultNotice {
  code: 'sealed-away' | 'unreadable'
  file: string
}

/**
 * Opens the vault, making it and the clients' token on first use. Secrets that were kept in a plain file move into the
 * keychain as soon as there is one. A vault that cannot be opened is kept aside, never overwritten.
 */
export async function openVault(folder: string, box: SecretBox | null): Promise<Vault> {
  const sealedFile = path.join(folder, 'vault.bin')
  const plainFile = path.join(folder, 'vault.json')
  const file = box === null ? plainFile : sealedFile
  let notice: VaultNotice | null = null
  let queue: Promise<unknown> = Promise.resolve()

  async function read(
    from: string,
    open: (bytes: Buffer) => Promise<{ text: string; stale: boolean }>,
  ): Promise<Content | null> {
    const entry = await lstat(from).catch(() => null)
    if (entry === null) return null
    try {
      // Whoever could place a link could have the secrets read from, or written to, another place.
      if (entry.isSymbolicLink()) throw new Error('It is a link')
      await chmod(from, 0o600)
      const { text, stale } = await open(await readFile(from))
      const found = contentSchema.parse(JSON.parse(text))
      if (stale) await write(found)
      return found
    } catch {
      const aside = `${from}.unreadable-${Date.now()}`
      await rename(from, aside)
      notice = { code: 'unreadable', file: aside }
      return null
    }
  }

  async function write(next: Content): Promise<void> {
    const text = JSON.stringify(next)
    await writeFileAtomic(file, box === null ? text : await box.seal(text), 0o600)
  }

  const plain = await read(plainFile, (bytes) => Promise.resolve({ text: bytes.toString(), stale: false }))
  const sealed = box === null ? null : await read(sealedFile, (bytes) => box.open(bytes))
  if (box === null && (await lstat(sealedFile).catch(() => null)) !== null)
    notice ??= { code: 'sealed-away', file: sealedFile }

  let content: Content = {
    clientToken: (sealed ?? plain)?.clientToken ?? randomBytes(32).toString('base64url'),
    // What was set while the keychain was away is newer.
    secrets: { ...sealed?.secrets, ...plain?.secrets },
  }
  if ((box === null ? plain : sealed) === null || (box !== null && plain !== null)) await write(content)
  if (box !== null && plain !== null) await rm(plainFile, { force: true })

  return {
    quality: box === null ? 'file' : 'os',
    location: file,
    notice,
    get clientToken() {
      return content.clientToken
    },
    get secrets() {
      return content.secrets
    },
    keep: (name, value) => {
      const work = queue.then(async () => {
        const { [name]: _before, ...others } = content.secrets
        const next = { ...content, secrets: value === null ? others : { ...others, [name]: value } }
        await write(next)
        content = next
      })
      queue = work.catch(() => undefined)
      return work
    },
  }
}
