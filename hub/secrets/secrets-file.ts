import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../config/atomic-file.ts'
import { parseJsonc } from '../config/parse.ts'
import { secretValueSchema, type Fault } from '../contract/index.ts'
import { BrokenFile } from '../faults.ts'
import { seal, sealedSchema, unseal } from './seal.ts'

const contentSchema = z.record(z.string(), secretValueSchema)

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
    throw broken(path, code === 'ELOOP' ? 'It is a link, and the hub follows none to its secrets' : message, {
      cure: code === 'ELOOP' ? 'Put the file itself there.' : 'Let the hub’s user read the file.',
    })
  }
  const parsed = parseJsonc(text, path)
  // A fault never quotes the text: it is made of secrets.
  if (!parsed.ok) throw new BrokenFile(parsed.faults)
  const sealed = sealedSchema.safeParse(parsed.value.value)
  if (!sealed.success) return contentOf(parsed.value.value, path)
  if (key === null)
    throw broken(path, 'It is encrypted, and MCP_HUB_SECRETS_KEY is not set', {
      cure: 'Set MCP_HUB_SECRETS_KEY to the key that it was written with.',
    })
  const opened = unseal(sealed.data, key)
  if (opened === null)
    throw broken(path, 'MCP_HUB_SECRETS_KEY does not open it', {
      cure: 'Set MCP_HUB_SECRETS_KEY to the key that it was written with, or move the file away and set the secrets anew.',
    })
  return contentOf(JSON.parse(opened), path)
}

export async function writeSecrets({ path, key }: SecretsFile, secrets: ReadonlyMap<string, string>): Promise<void> {
  const content = Object.fromEntries([...secrets].sort(([a], [b]) => (a < b ? -1 : 1)))
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

function contentOf(value: unknown, path: string): Map<string, string> {
  const content = contentSchema.safeParse(value)
  if (content.success) return new Map(Object.entries(content.data))
  throw new BrokenFile(
    content.error.issues.map((issue) => ({
      file: path,
      path: issue.path.map(String).join('.'),
      line: null,
      column: null,
      message: issue.message,
      cure: 'The file is one object: each key a secret’s name, each value a text.',
    })),
  )
}

function broken(file: string, message: string, { cure }: { cure: string }): BrokenFile {
  const fault: Fault = { file, path: '', line: null, column: null, message, cure }
  return new BrokenFile([fault])
}
