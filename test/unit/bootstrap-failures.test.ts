import { describe, expect, it } from 'vitest'
import { sandboxProblem } from '../../scripts/lib/launch.mjs'
import { diagnose } from '../../scripts/lib/setup-error.mjs'
import { authorityEntry } from '../../scripts/lib/virtual-display.mjs'

describe('a failure of set-up', () => {
  it.each([
    ['npm error code ENOSPC\nnpm error nospc ENOSPC: no space left on device, write', 'the disk is full', 'df -h'],
    ['npm error code ENOTFOUND', 'the network did not answer', 'npm config set'],
    ['E: Failed to fetch http://deb.debian.org/…  Temporary failure resolving', 'the network did not answer', ''],
    ['npm error code EINTEGRITY', 'does not have the checksum', 'do not trust'],
    ['npm error code EACCES', 'may not be written', 'chown'],
    ['EROFS: read-only file system, mkdir', 'the file system is read-only', 'copy of the repository'],
    ['npm error `npm ci` can only install packages when your package.json and package-lock.json', 'do not fit', ''],
    ['self-signed certificate in certificate chain', 'certificate of the server is not trusted', 'cafile'],
  ])('is explained from %j', (output, cause, cure) => {
    const error = diagnose('Installing the npm packages', output)
    expect(error.message).toContain('Installing the npm packages failed')
    expect(error.message).toContain(cause)
    expect(error.cure).toContain(cure)
  })

  it('names the folder that is not ours', () => {
    const error = diagnose(
      'Installing',
      'npm error code EACCES\nnpm error path /home/me/.npm/_cacache\nnpm error errno -13',
    )
    expect(error.cure).toContain("'/home/me/.npm/_cacache'")
  })

  it('that nobody foresaw shows the last lines of the program', () => {
    expect(diagnose('The thing', 'one\ntwo\nexotic').message).toBe('The thing failed.\none\ntwo\nexotic')
  })
})

describe('the sandbox', () => {
  const machine = { uid: 1000, appArmorRestricts: false, namespacesOff: false, helperIsSetuid: false }

  it('needs nothing where user namespaces are allowed, and is off for root', () => {
    expect(sandboxProblem(machine, '/e/chrome-sandbox')).toBeNull()
    expect(sandboxProblem({ ...machine, uid: 0, namespacesOff: true }, '/e/chrome-sandbox')).toBeNull()
    expect(sandboxProblem({ ...machine, appArmorRestricts: true, helperIsSetuid: true }, '/e')).toBeNull()
  })

  it('is named as the cause where they are not, with the line to run', () => {
    const problem = sandboxProblem({ ...machine, appArmorRestricts: true }, '/e/chrome-sandbox')
    expect(problem?.cure).toBe("sudo chown root:root '/e/chrome-sandbox' && sudo chmod 4755 '/e/chrome-sandbox'")
  })
})

it('lets only the holder of the cookie onto the virtual display', () => {
  const entry = authorityEntry(Buffer.alloc(16, 7))
  expect(entry.subarray(0, 6)).toEqual(Buffer.from([0xff, 0xff, 0, 0, 0, 0]))
  expect(entry.toString('latin1')).toContain('MIT-MAGIC-COOKIE-1')
  expect(entry.subarray(-16)).toEqual(Buffer.alloc(16, 7))
})
