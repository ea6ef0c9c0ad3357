import { afterAll, beforeAll, expect, it } from 'vitest'
import { fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({ early: fixtureServer('early-change.ts') })
})
afterAll(() => hub.close())

it('a list that changes while the others are still being read empties none of them', async () => {
  const names = async (kind: string): Promise<string[]> =>
    ((await hub.api('GET', `/api/${kind}`)).body as { name: string }[]).map(({ name }) => name)
  await expect.poll(() => names('tools'), { timeout: 10_000 }).toEqual(['first', 'second'])
  expect(await names('prompts')).toEqual(['kept'])
})
