import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bootstrapCaller } from '../../hub/auth/caller.ts'
import { openIdentity } from '../../hub/auth/identity.ts'
import { openLocalCluster } from '../../hub/cluster/local.ts'
import { openFiles } from '../../hub/config/documents.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { person } from '../fixtures/people.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder.dispose())

it('leaves no key, nor one made meanwhile, to whoever gets the name next', async () => {
  const documents = await openFiles(folder.path)
  const text = JSON.stringify({ users: [person('ann', 'admin'), person('bob')], keys: [] })
  await documents.write([{ document: 'users', text, over: await documents.read('users') }], null, null)
  const cluster = openLocalCluster(path.join(folder.path, 'identity.db'))
  const identity = await openIdentity({
    mode: 'server',
    documents,
    dataDir: folder.path,
    tokens: [],
    signingKeys: [new Uint8Array(32)],
    auth: () => ({ bcryptRounds: 10 }),
    adminPassword: undefined,
    openCluster: () => Promise.resolve(cluster),
    announceSetup: () => undefined,
    audit: () => undefined,
    log: () => undefined,
  })
  const { users } = (await identity.people())!
  const bob = { ...bootstrapCaller, user: 'bob' }
  await identity.keys.create(bob, { name: 'before' })
  const [removed, made] = await Promise.allSettled([
    users.remove(bootstrapCaller, 'bob'),
    identity.keys.create(bob, { name: 'meanwhile' }),
  ])
  expect([removed.status, made.status]).toEqual(['fulfilled', 'fulfilled'])
  await expect(identity.keys.create(bob, { name: 'after' })).rejects.toMatchObject({ code: 'HUB_USER_NOT_FOUND' })
  expect(await identity.keys.list(bootstrapCaller)).toEqual([])
  await identity.dispose()
  await cluster.dispose()
})
