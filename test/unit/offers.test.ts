import { readdir, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { catalogOfLists } from '../../hub/upstream/catalog.ts'
import { createOffers, type Offer } from '../../hub/upstream/offers.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.dispose())

const tool = {
  name: 'search',
  inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
}
const offer: Offer = {
  hello: { era: 'modern', version: '2026-07-28', capabilities: { tools: {} }, serverInfo: null, instructions: 'x' },
  catalog: catalogOfLists({ tools: [tool], prompts: [], resources: [], resourceTemplates: [] }),
}

it('what a server offered is there for the next run, with what is derived from it', async () => {
  const entry = { command: 'server', env: { A: '1' }, hub: { start: 'on-demand' as const } }
  await createOffers(folder.path).save('a/b', entry, offer)
  const offers = createOffers(folder.path)
  expect(offers.load('a/b', entry)).toEqual(offer)
  expect(offer.catalog.headerParams.size).toBe(1)
  expect(offers.load('a/b', { ...entry, hub: { start: 'on-demand', idleStopMs: 1 } })).toEqual(offer)
})

it('of another entry it is not taken, nor from a broken file', async () => {
  const offers = createOffers(folder.path)
  await offers.save('one', { command: 'server' }, offer)
  expect(offers.load('one', { command: 'other' })).toBeNull()
  expect(offers.load('two', { command: 'server' })).toBeNull()
  for (const file of await readdir(folder.path)) await writeFile(path.join(folder.path, file), '{"entry":')
  expect(offers.load('one', { command: 'server' })).toBeNull()
  await offers.remove('one')
  await offers.remove('one')
})

it('of two offers that are kept at once the later one counts', async () => {
  const offers = createOffers(folder.path)
  const entry = { command: 'server' }
  const sized = (instructions: string): Offer => ({ ...offer, hello: { ...offer.hello, instructions } })
  await Promise.all([1_000_000, 1].map((size) => offers.save('twice', entry, sized('x'.repeat(size)))))
  expect(offers.load('twice', entry)?.hello.instructions).toBe('x')
  expect((await readdir(folder.path)).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

it('one that is removed while it is kept is gone, and so is what a kill left behind', async () => {
  const left = path.join(folder.path, `.x.json.${2 ** 30}.1.tmp`)
  await writeFile(left, '')
  const offers = createOffers(folder.path)
  const entry = { command: 'server' }
  await Promise.all([offers.save('before', entry, offer), offers.save('gone', entry, offer), offers.remove('gone')])
  expect(offers.load('gone', entry)).toBeNull()
  expect((await readdir(folder.path)).filter((name) => name.endsWith('.tmp'))).toEqual([])
})

it('one that cannot be kept does not hold up the next', async () => {
  const broken = path.join(folder.path, 'file')
  await writeFile(broken, '')
  const offers = createOffers(broken)
  await expect(offers.save('a', { command: 'server' }, offer)).rejects.toThrow(/EEXIST|ENOTDIR/)
  await rm(broken)
  await offers.save('a', { command: 'server' }, offer)
  expect(offers.load('a', { command: 'server' })).toEqual(offer)
})
