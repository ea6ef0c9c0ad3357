import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { connectionSchema, targetSchema, textIn, type PublishRecordDetail } from '../../hub/contract/index.ts'
import type { HubError } from '../../hub/hub-error.ts'
import { createPublishHistory, KEPT_PUBLISHES, publishId } from '../../hub/publish/push/history.ts'
import { createTargets } from '../../hub/publish/push/targets.ts'
import zhCN from '../../renderer/locales/hub.zh-CN.json' with { type: 'json' }
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

const target = targetSchema.parse({ domain: 'hub.example.com' })
const stored = { target, connection: connectionSchema.parse({ host: 'hub.example.com' }) }

function publish(at: number): PublishRecordDetail {
  return {
    id: publishId(at),
    at,
    durationMs: 1,
    by: 'MCP Hub',
    operation: 'push',
    release: '1.0.0-01234567',
    before: null,
    outcome: 'done',
    problem: null,
    target,
    steps: [],
    log: [],
    comparison: null,
    manifest: null,
    files: [],
  }
}

it('keeps targets through a rename, and refuses a name that is taken', async () => {
  const targets = createTargets(folder.path)
  await targets.save('shop', stored)
  await targets.save('office', stored)
  await targets.save('shop', stored, 'store')
  expect((await targets.list()).map(([name]) => name)).toEqual(['office', 'store'])
  await expect(targets.save('store', stored, 'office')).rejects.toMatchObject({ code: 'HUB_CONFLICT' })
  await expect(targets.get('shop')).rejects.toMatchObject({ code: 'HUB_TARGET_NOT_FOUND' })
  await expect(targets.remove('shop')).rejects.toMatchObject({ code: 'HUB_TARGET_NOT_FOUND' })
})

it('stores no field in which a password could be, and writes nothing over a broken file', async () => {
  expect(connectionSchema.safeParse({ host: 'a', password: 'x' }).success).toBe(false)
  expect(
    connectionSchema.safeParse({ host: 'a', signIn: { method: 'key', file: '/k', passphrase: 'x' } }).success,
  ).toBe(false)
  const targets = createTargets(folder.path)
  await writeFile(join(folder.path, 'targets.json'), '{"targets": {"a": 1}}')
  await expect(targets.save('b', stored)).rejects.toMatchObject({ code: 'HUB_CONFIG_FILE_BROKEN' })
  expect(await readFile(join(folder.path, 'targets.json'), 'utf8')).toBe('{"targets": {"a": 1}}')
})

it.each([
  ['{"targets": {"a": 1}}', 'targets.json 在 targets.a 处有错误：输入无效：应为 object，收到的是 number'],
  ['{"targets": {}, "more": 1}', 'targets.json 有错误：未知的键："more"'],
  ['{"targets": {"a": 1}', "targets.json 有错误：属性值之后应为 ',' 或 '}'（第 1 行第 21 列）"],
])('says in the words of the page what is wrong in %s', async (text, words) => {
  await writeFile(join(folder.path, 'targets.json'), text)
  const error = await createTargets(folder.path)
    .list()
    .catch((reason: unknown) => reason as HubError)
  expect(
    textIn(zhCN, error as HubError, 'message')
      .replace(folder.path, '')
      .slice(1),
  ).toBe(words)
})

it('keeps the newest publishes of a target, which go with its name', async () => {
  const history = createPublishHistory(folder.path)
  for (let at = 1; at <= KEPT_PUBLISHES + 3; at++) await history.add('shop', publish(at))
  const list = await history.list('shop')
  expect(list.map(({ at }) => at)).toEqual(
    Array.from({ length: KEPT_PUBLISHES }, (_, index) => KEPT_PUBLISHES + 3 - index),
  )
  expect(await readdir(join(folder.path, 'history', 'shop'))).toHaveLength(KEPT_PUBLISHES)

  await history.moved('shop', 'store')
  expect(await history.list('shop')).toEqual([])
  expect((await history.newest('store'))?.at).toBe(KEPT_PUBLISHES + 3)
  await expect(history.get('store', '../../targets')).rejects.toMatchObject({ code: 'HUB_PUBLISH_NOT_FOUND' })
  await history.forget('store')
  expect(await history.newest('store')).toBeNull()
})
