import { createHash, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readSigningKey } from '../../hub/cli/signing-key.ts'
import { writeChecksums } from '../../scripts/lib/release-files.ts'

let folder = ''
const at = (name: string): string => path.join(folder, name)
beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'mcp-hub-signature-'))
  await writeFile(at('b.tar.gz'), 'two')
  await writeFile(at('a.deb'), 'one')
})
afterAll(() => rm(folder, { recursive: true }))
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

it('packages get their checksums, and where there is a key, the signature of these', async () => {
  expect(await writeChecksums(folder, ['b.tar.gz', 'a.deb'])).toEqual([at('SHA256SUMS')])
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  await writeFile(at('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeChecksums(folder, ['b.tar.gz', 'a.deb'], at('key.pem'))
  const sums = await readFile(at('SHA256SUMS'))
  expect(sums.toString()).toBe(`${sha256('one')}  a.deb\n${sha256('two')}  b.tar.gz\n`)
  const signature = Buffer.from(await readFile(at('SHA256SUMS.sig'), 'utf8'), 'base64')
  expect(verify(null, sums, publicKey, signature)).toBe(true)
})

it('what is no key for signatures is refused with the command that makes one', async () => {
  const { privateKey } = generateKeyPairSync('x25519')
  await writeFile(at('other.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await writeFile(at('no.pem'), 'no key')
  for (const name of ['other.pem', 'no.pem', 'missing.pem'])
    await expect(readSigningKey(at(name))).rejects.toMatchObject({
      cure: `Make one: openssl genpkey -algorithm ed25519 -out ${at(name)}`,
    })
})
