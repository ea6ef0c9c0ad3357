import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetSchema } from '../../hub/contract/publish.ts'
import { createBundle, type Bundle } from '../../hub/publish/bundle.ts'
import { checkBundle } from '../../hub/publish/checks/index.ts'
import type { Check } from '../../hub/contract/publish.ts'
import { findTool } from '../../hub/publish/run-tool.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

/** The generated units under systemd's own examination. */
describe.skipIf((await findTool('systemd-analyze')) === null)('systemd with the generated units', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeAll(async () => {
    folder = await temporaryFolder()
    await writeBuiltProgram(folder.path)
  })
  afterAll(() => folder.dispose())

  function bundle(instances = 1): Promise<Bundle> {
    const target = targetSchema.parse({ domain: 'hub.example.com', mode: 'systemd', instances, services: ['database'] })
    return createBundle({ servers: {}, system: {}, target, distDir: folder.path, version: '1.0.0' })
  }

  async function check(of: Bundle): Promise<Check | undefined> {
    return (await checkBundle(of)).find(({ tool }) => tool.startsWith('systemd-analyze'))
  }

  it.each([1, 3])('accepts them without a word, well shut in, for %d hubs', async (instances) => {
    const result = await check(await bundle(instances))
    expect(result).toMatchObject({ outcome: 'passed' })
    const exposures = Array.from(result?.message.matchAll(/service (\d\.\d)/g) ?? [], ([, value]) => Number(value))
    expect(exposures.length).toBe(4)
    for (const exposure of exposures) expect(exposure).toBeLessThanOrEqual(2)
  })

  it.each([
    ['a key that systemd does not know', 'Restart=always', 'Restrat=always', /Restrat/],
    ['a time that is none', 'OnCalendar=*-*-* 02:00:00', 'OnCalendar=*-*-* 32:00:00', /32:00:00/],
    [
      'a sandbox with a hole',
      'CapabilityBoundingSet=\n',
      'CapabilityBoundingSet=CAP_SYS_ADMIN CAP_NET_ADMIN CAP_SYS_PTRACE\n',
      /exposed/,
    ],
  ])('says what is wrong with %s', async (_what, before, after, expected) => {
    const made = await bundle()
    const files = made.files.map((file) =>
      file.text === null ? file : { ...file, text: file.text.replaceAll(before, after) },
    )
    const result = await check({ ...made, files })
    expect(result).toMatchObject({ outcome: 'failed', message: expect.stringMatching(expected) as string })
  })
})
