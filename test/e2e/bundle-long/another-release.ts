import { createHash } from 'node:crypto'
import { cp, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'

/** The same bundle under another name, beside it, and whole all the same. */
export async function anotherRelease(bundle: string, release: string): Promise<string> {
  const folder = path.join(path.dirname(bundle), release)
  await cp(bundle, folder, { recursive: true })
  const [target, sums] = [path.join(folder, 'ops/target.env'), path.join(folder, 'SHA256SUMS')]
  const text = (await readFile(target, 'utf8')).replace(/^RELEASE='.*'$/m, `RELEASE='${release}'`)
  await writeFile(target, text)
  const hash = createHash('sha256').update(text).digest('hex')
  await writeFile(sums, (await readFile(sums, 'utf8')).replace(/^[0-9a-f]{64}(?=  ops\/target\.env$)/m, hash))
  return folder
}
