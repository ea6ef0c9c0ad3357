import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { npmCommand, packagesAreCurrent, requireSpace } from '../../scripts/lib/npm-packages.mjs'
import { toolEnv, toolNode } from '../../scripts/lib/paths.mjs'
import { chooseNames, installPrefix, missingPackages } from '../../scripts/lib/system-packages.mjs'

describe('npm packages', () => {
  const wanted = {
    packages: {
      '': { version: '0.1.0' },
      'node_modules/a': { version: '1.0.0' },
      'node_modules/only-on-windows': { version: '2.0.0', optional: true },
    },
  }

  it('are installed when npm left no record, as after an interrupted installation', () => {
    expect(packagesAreCurrent(wanted, null)).toBe(false)
  })

  it('are left alone when the record fits, whatever is optional and absent', () => {
    expect(packagesAreCurrent(wanted, { packages: { 'node_modules/a': { version: '1.0.0' } } })).toBe(true)
  })

  it('are installed again when the lockfile asks for another version, or for one more', () => {
    expect(packagesAreCurrent(wanted, { packages: { 'node_modules/a': { version: '1.0.1' } } })).toBe(false)
    expect(packagesAreCurrent(wanted, { packages: {} })).toBe(false)
  })

  it('are not begun on a disk that cannot hold them', () => {
    expect(() => {
      requireSpace('.', 1e12)
    }).toThrow(/disk is nearly full/)
  })

  it('come through the npm on PATH, else the one beside Node', () => {
    expect(npmCommand({ PATH: '/nowhere:/usr/local/bin:/usr/bin' }).command).toMatch(/\/npm$/)
  })
})

describe('the Node that runs the tools', () => {
  it('is the one from the lockfile where there is one', () => {
    expect(toolNode('20.0.0')).toBe(path.resolve('node_modules/.bin/node'))
  })

  it('is first on PATH, once', () => {
    const once = toolEnv({ PATH: '/usr/bin' })
    expect(once['PATH']).toBe(`${path.resolve('node_modules/.bin')}:/usr/bin`)
    expect(toolEnv(once)['PATH']).toBe(once['PATH'])
  })
})

describe('system packages', () => {
  const wanted = [['libgtk-3-0', 'libgtk-3-0t64'], ['xvfb']]

  it('are missing when no alternative is installed', () => {
    expect(missingPackages(wanted, new Set(['libgtk-3-0t64']))).toEqual([['xvfb']])
    expect(missingPackages(wanted, new Set())).toEqual(wanted)
  })

  it('go by the name that this release has', () => {
    expect(chooseNames(wanted, new Set(['libgtk-3-0t64', 'xvfb']))).toEqual(['libgtk-3-0t64', 'xvfb'])
    expect(chooseNames(wanted, new Set())).toEqual(['libgtk-3-0', 'xvfb'])
  })

  it('are installed directly by root, and through a sudo that asks nothing', () => {
    expect(installPrefix({ uid: 0, canSudo: false }, ['xvfb'])).toEqual([])
    expect(installPrefix({ uid: 1000, canSudo: true }, ['xvfb'])).toEqual(['sudo', '-n'])
  })

  it('are left to the user without root, with the line to run', () => {
    const attempt = () => installPrefix({ uid: 1000, canSudo: false }, ['libgtk-3-0', 'xvfb'])
    expect(attempt).toThrow('installing them needs root: libgtk-3-0 xvfb')
    expect(attempt).toThrow(
      expect.objectContaining({
        cure: 'sudo apt-get update && sudo apt-get install -y --no-install-recommends libgtk-3-0 xvfb',
      }),
    )
  })
})
