import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { openFiles } from '../../hub/config/documents.ts'
import { entityTag } from '../../hub/config/entity-tag.ts'
import { keptText } from '../../hub/config/kept-text.ts'
import { openPushes } from '../../hub/config/push/pushes.ts'
import { openConfigStore } from '../../hub/config/store.ts'
import type { PushStatus } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

it.each([
  ['is taken back at once', 0, 'reverted'],
  ['is watched until it can be taken back', 1, 'revert-failed'],
] as const)('a push whose programs cannot be agreed to %s', async (_what, failing, first) => {
  const documents = await openFiles(folder.path)
  const config = await openConfigStore(documents)
  await config.saveServer('old', { command: 'x' })
  const before = config.texts
  const states: PushStatus['state'][] = []
  let refusals = 0
  const pushes = await openPushes({
    text: keptText(documents, 'pushes'),
    shared: false,
    config: {
      get texts() {
        return config.texts
      },
      get servers() {
        return config.servers
      },
      replace: (texts, change) =>
        change?.by === 'MCP Hub' && refusals++ < failing
          ? Promise.reject(new Error('the disk is full'))
          : config.replace(texts, change),
    },
    servers: () => [],
    unready: () => null,
    applied: () => Promise.resolve(),
    agree: () => Promise.reject(new Error('not writable')),
    watchMs: () => 10,
    told: ({ state }) => states.push(state),
    onFailure: () => undefined,
    // What waits for seconds waits for milliseconds here.
    now: () => performance.now() * 1_000,
  })
  const texts = { ...before, servers: '{ "mcpServers": { "added": { "command": "y" } } }' }
  const push = await pushes.push(texts, { by: 'ci', reason: null, ifMatch: entityTag(before) })
  expect(push).toMatchObject({
    state: first,
    failures: [{ message: expect.stringContaining('not writable') as string }],
  })
  await expect.poll(async () => (await pushes.get(push.id))?.state).toBe('reverted')
  expect(states).toEqual(['watching', ...new Set([first, 'reverted'])])
  expect(config.texts).toEqual(before)
  expect(await readFile(path.join(folder.path, 'servers.json'), 'utf8')).toBe(before.servers)
  await pushes.dispose()
  await config.dispose()
})
