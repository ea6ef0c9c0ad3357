import { mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { BundleEntry } from '../../hub/publish/bundle.ts'
import { exportBundle } from '../../hub/publish/export.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let out: string
beforeEach(async () => {
  folder = await temporaryFolder()
  out = path.join(folder.path, 'bundle')
})
afterEach(() => folder.dispose())

function entry(name: string, text: string, mode = 0o644): BundleEntry {
  return { path: name, text, mode, bytes: text.length, sha256: '', why: '' }
}

function bundle(...entries: BundleEntry[]): BundleEntry[] {
  const manifest = { generator: 'mcp-hub', files: Object.fromEntries(entries.map(({ path: name }) => [name, {}])) }
  return [...entries, entry('manifest.json', JSON.stringify(manifest))]
}

describe('exporting a bundle', () => {
  it('writes every file with its mode and leaves nothing else behind', async () => {
    const source = path.join(folder.path, 'server.js')
    await writeFile(source, 'built')
    const built: BundleEntry = { path: 'hub/server.js', text: null, source, mode: 0o755, bytes: 5, sha256: '', why: '' }
    const result = await exportBundle(bundle(entry('a/b.txt', 'hello', 0o640), built), out, false)
    expect(result).toMatchObject({ directory: out, files: 3 })
    expect(await readFile(path.join(out, 'a/b.txt'), 'utf8')).toBe('hello')
    expect((await stat(path.join(out, 'a/b.txt'))).mode & 0o777).toBe(0o640)
    expect((await stat(path.join(out, 'hub/server.js'))).mode & 0o777).toBe(0o755)
    expect((await readdir(folder.path)).sort()).toEqual(['bundle', 'server.js'])
  })

  it('takes an empty folder', async () => {
    await mkdir(out)
    await exportBundle(bundle(entry('x', '1')), out, false)
    expect((await readdir(out)).sort()).toEqual(['manifest.json', 'x'])
  })

  it('refuses a folder with something else in it, even when it may overwrite', async () => {
    await mkdir(out)
    await writeFile(path.join(out, 'thesis.doc'), 'years of work')
    await expect(exportBundle(bundle(entry('x', '1')), out, true)).rejects.toThrow('holds no bundle')
    expect(await readFile(path.join(out, 'thesis.doc'), 'utf8')).toBe('years of work')
  })

  it('replaces a bundle only when told to, and wholly', async () => {
    await exportBundle(bundle(entry('old', '1')), out, false)
    await expect(exportBundle(bundle(entry('new', '2')), out, false)).rejects.toThrow('holds a bundle already')
    await exportBundle(bundle(entry('new', '2')), out, true)
    expect((await readdir(out)).sort()).toEqual(['manifest.json', 'new'])
  })

  it('does not delete what a person put into a bundle', async () => {
    await exportBundle(bundle(entry('x', '1')), out, false)
    await writeFile(path.join(out, '.env'), 'JWT_SECRET=…')
    await expect(exportBundle(bundle(entry('x', '2')), out, true)).rejects.toThrow('.env')
    expect(await readFile(path.join(out, 'x'), 'utf8')).toBe('1')
  })

  it('leaves the folder as it was when a file cannot be copied', async () => {
    await exportBundle(bundle(entry('x', '1')), out, false)
    const missing: BundleEntry = {
      path: 'hub/server.js',
      text: null,
      source: path.join(folder.path, 'gone'),
      mode: 0o644,
      bytes: 0,
      sha256: '',
      why: '',
    }
    await expect(exportBundle(bundle(entry('x', '2'), missing), out, true)).rejects.toThrow('ENOENT')
    expect(await readFile(path.join(out, 'x'), 'utf8')).toBe('1')
    expect(await readdir(folder.path)).toEqual(['bundle'])
  })

  it('refuses a file in the place of the folder', async () => {
    await writeFile(out, 'x')
    await expect(exportBundle(bundle(entry('x', '1')), out, true)).rejects.toThrow('is a file')
  })

  it('counts a link as content', async () => {
    await mkdir(out)
    await symlink('/etc', path.join(out, 'etc'))
    await expect(exportBundle(bundle(entry('x', '1')), out, true)).rejects.toThrow('holds no bundle')
  })
})
