import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { readSigningKey } from '../../hub/cli/signing-key.ts'
import { SIGNATURE, signatureOf } from '../../hub/publish/signature.ts'

/**
 * Writes SHA256SUMS of the files into their folder, in the order of their names, and with a key (a PEM file) the signature of it.
 * Answers what it wrote.
 */
export async function writeChecksums(folder: string, names: readonly string[], key?: string): Promise<string[]> {
  const signingKey = key === undefined ? null : await readSigningKey(key)
  const lines = []
  for (const name of names.toSorted()) {
    const hash = createHash('sha256')
    await pipeline(createReadStream(path.join(folder, name)), hash)
    lines.push(`${hash.digest('hex')}  ${name}\n`)
  }
  const sums = lines.join('')
  const made = [{ name: 'SHA256SUMS', text: sums }]
  if (signingKey !== null) made.push({ name: SIGNATURE, text: signatureOf(sums, signingKey) })
  for (const { name, text } of made) await writeFile(path.join(folder, name), text)
  return made.map(({ name }) => path.join(folder, name))
}
