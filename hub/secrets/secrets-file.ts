import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { writeFileAtomic } from '../config/atomic-file.ts'
import { say } from '../say.ts'
import { broken } from './broken-secrets.ts'

export interface SecretsFile {
  path: string
  /** Encrypts the file; without one it is only protected by its mode. */
  key: string | null
  /** True for the hub's own file, which is never a link and is closed to others; false for one that the operator named. */
  own: boolean
}

/** The secrets of a file; none when there is no file. Throws BrokenFile. */
export async function readSecrets({ path, key, own }: SecretsFile): Promise<Map<string, string>> {
  let text: string
  try {
    text = await readPrivately(path, own)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return new Map()
    throw broken(path, code === 'ELOOP' ? say`It is a link, and the hub follows none to its secrets` : message, {
      cure: code === 'ELOOP' ? say`Put the file itself there.` : say`Let the hub’s user read the file.`,
    })
  }
  return (await import('./parse-secrets.ts')).parseSecrets(text, path, key)
}

export async function writeSecrets({ path, key }: SecretsFile, secrets: ReadonlyMap<string, string>): Promise<void> {
  const content = Object.fromEntries([...secrets].sort(([a], [b]) => (a < b ? -1 : 1)))
  const { seal } = await import('./seal.ts')
  const document = key === null ? content : seal(JSON.stringify(content), key)
  await writeFileAtomic(path, `${JSON.stringify(document, null, 2)}\n`, 0o600)
}

async function readPrivately(path: string, own: boolean): Promise<string> {
  // Windows has no O_NOFOLLOW; there the user's profile is what protects the file.
  const handle = await open(path, constants.O_RDONLY | (own && process.platform !== 'win32' ? constants.O_NOFOLLOW : 0))
  try {
    if (own && process.platform !== 'win32' && ((await handle.stat()).mode & 0o077) !== 0) await handle.chmod(0o600)
    return (await handle.readFile('utf8')).replace(/^\uFEFF/, '')
  } finally {
    await handle.close()
  }
}
