import { readFile, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { emptyRecord } from '../../hub/upstream/oauth/record.ts'
import { openFileTokenStore, type TokenStore } from '../../hub/upstream/oauth/token-store.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let unreadable: string[]
beforeEach(async () => {
  folder = await temporaryFolder()
  unreadable = []
})
afterEach(() => folder.dispose())

const openStore = (key: string | null): Promise<TokenStore> =>
  openFileTokenStore({ dir: folder.path, key, onUnreadable: (_file, message) => unreadable.push(message) })

const counted = (who: string | null): number => Number(who ?? 0)

describe('the store of accounts', () => {
  it('lets one hub at a time change an account, however many share the folder', async () => {
    const stores = await Promise.all([openStore(null), openStore(null), openStore(null)])
    const key = stores[0].keyOf('server')
    const increment = (store: TokenStore): Promise<unknown> =>
      store.update(key, async (before) => {
        const record = before ?? emptyRecord('server', 'https://example.com/mcp')
        await new Promise((resolve) => setImmediate(resolve))
        return { ...record, who: String(counted(record.who) + 1) }
      })
    await Promise.all(stores.flatMap((store) => Array.from({ length: 10 }, () => increment(store))))
    expect((await stores[0].read(key))?.who).toBe('30')
    expect((await readdir(folder.path)).filter((name) => name.endsWith('.lock'))).toEqual([])
  })

  it.each([
    ['a process that is gone', async (file: string) => writeFile(file, `${hostname()} 999999999`)],
    [
      'another machine a minute ago',
      async (file: string) => {
        await writeFile(file, 'elsewhere 1')
        const before = new Date(Date.now() - 61_000)
        await utimes(file, before, before)
      },
    ],
  ])('takes over a lock of %s', async (_name, lock) => {
    const store = await openStore(null)
    const key = store.keyOf('server')
    await lock(path.join(folder.path, `${key}.lock`))
    await store.update(key, () => emptyRecord('server', 'https://example.com/mcp'))
    expect((await store.read(key))?.server).toBe('server')
  })

  it('keeps what there was when a change fails, and goes on', async () => {
    const store = await openStore(null)
    const key = store.keyOf('server')
    await store.update(key, () => emptyRecord('server', 'https://example.com/mcp'))
    await expect(store.update(key, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect((await store.read(key))?.server).toBe('server')
    await store.update(key, () => null)
    expect(await store.list()).toEqual([])
  })

  it('encrypts with a key, reads what was written before there was one, and tells what it cannot read', async () => {
    const plain = await openStore(null)
    const key = plain.keyOf('server')
    const record = { ...emptyRecord('server', 'https://example.com/mcp'), who: 'alice@example.com' }
    await plain.update(key, () => record)
    const sealed = await openStore('k'.repeat(43))
    expect(await sealed.read(key)).toEqual(record)
    await sealed.update(key, () => ({ ...record, who: 'bob@example.com' }))
    const file = path.join(folder.path, `${key}.account`)
    expect(await readFile(file, 'utf8')).not.toContain('bob')
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect(await (await openStore('x'.repeat(43))).read(key)).toBeNull()
    expect(unreadable).toEqual(['it was encrypted with another key'])
  })

  it('hears of what another hub wrote', async () => {
    const [here, there] = await Promise.all([openStore(null), openStore(null)])
    const heard = new Promise<string>((resolve) => here.watch(resolve))
    const key = there.keyOf('server')
    await there.update(key, () => emptyRecord('server', 'https://example.com/mcp'))
    expect(await heard).toBe(key)
    here.close()
  })
})
