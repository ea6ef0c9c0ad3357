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

/**
 * `sealed-away`: another vault is sealed by a keychain that is not there now. `unreadable`: what lies in `file` is no vault.
 * `unavailable`: the vault could not be read or opened, for `cause`; it stays where it is, and nothing is kept meanwhile.
 */
export type VaultNotice =
  { code: 'sealed-away' | 'unreadable'; file: string } | { code: 'unavailable'; file: string; cause: string }

/**
 * Opens the vault, making it and the clients' token on first use. Secrets that were kept in a plain file move into the
 * keychain as soon as there is one. A file that is no vault is put aside, never overwritten; one that cannot be opened now is
 * left alone, for the start at which it can.
 */
export async function openVault(folder: string, box: SecretBox | null): Promise<Vault> {
  const sealedFile = path.join(folder, 'vault.bin')
  const plainFile = path.join(folder, 'vault.json')
  const file = box === null ? plainFile : sealedFile
  const seen: { notice: VaultNotice | null; stale: boolean } = { notice: null, stale: false }
  let queue: Promise<unknown> = Promise.resolve()

  async function read(
    from: string,
    open: (bytes: Buffer) => Promise<{ text: string; stale: boolean }>,
  ): Promise<Content | null> {
    try {
      const entry = await lstat(from)
      // Whoever could place a link could have the secrets read from, or written to, another place.
      const found = entry.isSymbolicLink() ? null : await contentOf(from, open)
      if (found !== null) return found
      const aside = `${from}.unreadable-${Date.now()}`
      await rename(from, aside)
      if (seen.notice === null) seen.notice = { code: 'unreadable', file: aside }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      seen.notice = { code: 'unavailable', file: from, cause: error instanceof Error ? error.message : String(error) }
    }
    return null
  }

  /** Null for what is no vault. Throws what the system or the keychain says. */
  async function contentOf(
    from: string,
    open: (bytes: Buffer) => Promise<{ text: string; stale: boolean }>,
  ): Promise<Content | null> {
    await chmod(from, 0o600)
    const opened = await open(await readFile(from))
    seen.stale ||= opened.stale
    return contentSchema.safeParse(parsed(opened.text)).data ?? null
  }

  async function write(next: Content): Promise<void> {
    const { notice } = seen
    if (notice?.code === 'unavailable')
      throw new Error(`${notice.file} could not be opened when MCP Hub started (${notice.cause}); start it again`)
    const text = JSON.stringify(next)
    await writeFileAtomic(file, box === null ? text : await box.seal(text), 0o600)
    if (box !== null) await rm(plainFile, { force: true })
  }

  const plain = await read(plainFile, (bytes) => Promise.resolve({ text: bytes.toString(), stale: false }))
  const sealed = box === null ? null : await read(sealedFile, (bytes) => box.open(bytes))
  if (box === null && (await lstat(sealedFile).catch(() => null)) !== null)
    seen.notice ??= { code: 'sealed-away', file: sealedFile }

  let content: Content = {
    clientToken: (sealed ?? plain)?.clientToken ?? randomBytes(32).toString('base64url'),
    // What was set while the keychain was away is newer.
    secrets: { ...sealed?.secrets, ...plain?.secrets },
  }
  if (sealed === null && plain === null) {
    if (seen.notice?.code !== 'unavailable') await write(content)
  } else if (seen.stale || (box !== null && plain !== null))
    // Nothing is lost when it cannot be sealed now: the next secret, or the next start, does it.
    await write(content).catch(() => undefined)

  return {
    quality: box === null ? 'file' : 'os',
    location: file,
    notice: seen.notice,
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

/** Undefined for what is no JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
