import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { appendFile, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { targetSchema } from '../../hub/contract/publish.ts'
import { archiveOf } from '../../hub/publish/archive.ts'
import { createBundle, type Bundle } from '../../hub/publish/bundle.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

const run = promisify(execFile)
let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(path.join(folder.path, 'dist'))
})
afterEach(() => folder.dispose())

const bundleOf = (domain = 'hub.example.com'): Promise<Bundle> =>
  createBundle({
    servers: { one: { command: 'npx', args: ['-y', 'a-server'] } },
    system: {},
    target: targetSchema.parse({ domain }),
    distDir: path.join(folder.path, 'dist'),
    version: '1.2.3',
  })

async function written(bundle: Bundle, name: string): Promise<string> {
  const file = path.join(folder.path, name)
  await archiveOf(bundle).writeTo(createWriteStream(file))
  return file
}

it('is unpacked by tar to one folder named after the release, whose checksums hold and whose modes are those of the manifest', async () => {
  const bundle = await bundleOf()
  const archive = archiveOf(bundle)
  expect(archive.name).toBe(`mcp-hub-${bundle.release}.tar.gz`)
  const out = path.join(folder.path, 'out')
  await mkdir(out)
  await run('tar', ['-xzf', await written(bundle, 'bundle.tar.gz'), '-C', out])
  expect(await readdir(out)).toEqual([`mcp-hub-${bundle.release}`])
  const root = path.join(out, `mcp-hub-${bundle.release}`)
  await run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: root })
  for (const file of bundle.files) {
    const found = await stat(path.join(root, file.path))
    expect([file.path, found.size, found.mode & 0o777]).toEqual([file.path, file.bytes, file.mode])
  }
})

it('has the same bytes for the same bundle, and others for another', async () => {
  const first = await readFile(await written(await bundleOf(), 'first'))
  expect(await readFile(await written(await bundleOf(), 'second'))).toEqual(first)
  expect(await readFile(await written(await bundleOf('other.example.com'), 'third'))).not.toEqual(first)
})

it('ends in a failure when a built file is no longer what the manifest says', async () => {
  const bundle = await bundleOf()
  await appendFile(path.join(folder.path, 'dist', 'hub', 'server.js'), '// rebuilt meanwhile')
  await expect(written(bundle, 'bundle.tar.gz')).rejects.toThrow('hub/server.js changed while it was packed')
})
