import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { writeFileAtomic } from '../config/atomic-file.ts'
import { CommandError, exitCodes, requireOption, type Values } from './command.ts'
import { hubUrl, type RemoteHub } from './hub-client.ts'

const keyFileSchema = z.object({
  hub: z.string(),
  key: z.string().min(1),
  expiresAt: z.number().nullable(),
  fingerprint: z.string().nullable(),
})
type KeyFile = z.infer<typeof keyFileSchema>

/** Readable to the user only, like a private key. */
export async function writeKeyFile(file: string, content: KeyFile): Promise<void> {
  await writeFileAtomic(file, `${JSON.stringify(content, null, 2)}\n`, 0o600).catch((error: unknown) => {
    throw new CommandError(
      `${file} cannot be written: ${error instanceof Error ? error.message : String(error)}`,
      'The code is used up; make another, and give a file that can be written.',
      exitCodes.cannotCreate,
    )
  })
}

/** The hub of `--hub`, with the key of `--key-file`: what `config enrol` wrote there, or the key alone. */
export async function remoteHub(values: Values): Promise<RemoteHub> {
  const file = requireOption(values, 'key-file')
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(
      `${file} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      'Make it with: mcp-hub config enrol --hub URL --key-file FILE',
      exitCodes.noPermission,
    )
  })
  if (process.platform !== 'win32' && ((await stat(file)).mode & 0o077) !== 0)
    throw new CommandError(`Others can read ${file}.`, `chmod 600 ${file}`, exitCodes.noPermission)
  const isBare = /^mcphub_[\w-]+\s*$/.test(text)
  const found = isBare ? bare(text, requireOption(values, 'hub')) : parsed(text, file)
  const base = hubUrl(typeof values['hub'] === 'string' ? values['hub'] : found.hub)
  // A key is good for the hub that made it; another one has no business to see it.
  if (!isBare && base.host !== new URL(found.hub).host)
    throw new CommandError(
      `${file} holds the key of ${found.hub}, not of ${base.href}.`,
      'Give the key file of this hub, or enrol at it.',
      exitCodes.usage,
    )
  const fingerprint = typeof values['fingerprint'] === 'string' ? values['fingerprint'] : found.fingerprint
  return { base, key: found.key, fingerprint }
}

const bare = (text: string, hub: string): KeyFile => ({ hub, key: text.trim(), expiresAt: null, fingerprint: null })

function parsed(text: string, file: string): KeyFile {
  try {
    return keyFileSchema.parse(JSON.parse(text))
  } catch {
    throw new CommandError(
      `${file} is no key file.`,
      'Make it with: mcp-hub config enrol --hub URL --key-file FILE',
      exitCodes.noPermission,
    )
  }
}
