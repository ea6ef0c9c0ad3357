import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openIdentityFile } from '../../hub/auth/identity-file.ts'
import { openFiles } from '../../hub/config/documents.ts'
import { openConfigStore, type ConfigStore } from '../../hub/config/store.ts'
import type { BrokenFile } from '../../hub/faults.ts'
import { readSecretFile } from '../../hub/secrets/environment.ts'
import { brokenConfigs, plant } from '../fixtures/broken-config.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let store: ConfigStore | null = null
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await store?.dispose()
  await folder.dispose()
})

const open = async () =>
  openConfigStore(await openFiles(folder.path), { env: () => undefined, secret: () => undefined, file: readSecretFile })

/** Nobody is known without it: the hub does not start. */
const faultsOfUsers = async () =>
  openIdentityFile(await openFiles(folder.path)).then(
    () => [],
    (error: unknown) => (error as BrokenFile).faults,
  )

describe('a broken configuration file', () => {
  it('comes in more than forty kinds, of all four files', () => {
    expect(brokenConfigs.length).toBeGreaterThanOrEqual(40)
    for (const name of ['servers', 'system', 'profiles', 'users'])
      expect(brokenConfigs.filter(({ file }) => file === `${name}.json`).length).toBeGreaterThanOrEqual(4)
  })

  it.each(brokenConfigs.map((broken) => [broken.what, broken] as const))(
    'is told with its place and its cure, and nothing is written over it: %s',
    async (_what, broken) => {
      const file = await plant(folder.path, broken)
      store = await open()
      const [fault] = broken.file === 'users.json' ? await faultsOfUsers() : store.faults
      const [line, column] = broken.at ?? [null, null]
      expect(fault).toMatchObject({ file, path: broken.key, line, column })
      expect(fault?.message).toContain(broken.message)
      expect(fault?.cure).toContain(broken.cure)
      if (broken.file === 'users.json') return
      const change =
        broken.file === 'servers.json'
          ? store.saveServer('new', { command: 'x' })
          : broken.file === 'system.json'
            ? store.saveSystem(['server', 'port'], () => 1)
            : store.saveProfile('new', null)
      await expect(change).rejects.toMatchObject({ code: 'HUB_CONFIG_FILE_BROKEN' })
    },
  )
})
