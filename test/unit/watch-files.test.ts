import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { watchFiles } from '../../hub/config/watch-files.ts'

let folder: string
let close: () => void
const changed = vi.fn()

beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-watch-'))
  await writeFile(path.join(folder, 'a.json'), '1')
  changed.mockReset()
})
afterEach(async () => {
  close()
  await rm(folder, { recursive: true })
})

const inFolder = (name: string): string => path.join(folder, name)

it.each([
  ['written in place', () => writeFile(inFolder('a.json'), '2')],
  [
    'replaced by another',
    async () => {
      await writeFile(inFolder('a.json.tmp'), '2')
      await rename(inFolder('a.json.tmp'), inFolder('a.json'))
    },
  ],
  ['removed', () => rm(inFolder('a.json'))],
])('tells of a file that is %s, once', async (_how, change) => {
  close = watchFiles(folder, ['a.json'], changed).close
  await change()
  await vi.waitFor(() => expect(changed).toHaveBeenCalledOnce())
})

it('says nothing of other files of the folder', async () => {
  close = watchFiles(folder, ['a.json', 'last.json'], changed).close
  await writeFile(inFolder('b.json'), '2')
  await writeFile(inFolder('last.json'), '2')
  await vi.waitFor(() => expect(changed).toHaveBeenCalledOnce())
})

it('tells of a file in a folder that cannot be watched yet', async () => {
  const later = inFolder('later')
  close = watchFiles(later, ['a.json'], changed).close
  await mkdir(later)
  await writeFile(path.join(later, 'a.json'), '2')
  await vi.waitFor(() => expect(changed).toHaveBeenCalled(), 6_000)
})
