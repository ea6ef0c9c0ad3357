import { execFileSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKnownHosts, fingerprintOf, type HostKey } from '../../hub/publish/push/known-hosts.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

/** Two keys as OpenSSH writes them; the bytes mean nothing. */
const keyOf = (byte: number, algorithm = 'ssh-ed25519'): HostKey => {
  const name = Buffer.from(algorithm)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(name.length)
  return { algorithm, blob: Buffer.concat([length, name, Buffer.alloc(36, byte)]) }
}
const lineOf = (hosts: string, { algorithm, blob }: HostKey): string =>
  `${hosts} ${algorithm} ${blob.toString('base64')} a comment`
const [key, other] = [keyOf(1), keyOf(2)]

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let theirs: string
beforeEach(async () => {
  folder = await temporaryFolder()
  theirs = path.join(folder.path, 'theirs')
})
afterEach(() => folder.dispose())
const open = () => createKnownHosts(path.join(folder.path, 'ours'), [theirs])

describe('a line of the user’s known_hosts', () => {
  it.each([
    ['hub.example.com', 22, 'known'],
    ['HUB.example.com', 22, 'known'],
    ['hub.example.com', 2222, 'unknown'],
    ['other.example.com', 22, 'unknown'],
  ])('names %s:%i or not: %s', async (host, port, state) => {
    await writeFile(theirs, `# ours\n\n${lineOf('hub.example.com,192.0.2.1', key)}\n`)
    expect(await open().check(host, port, key)).toBe(state)
  })

  it('may be hashed, as ssh-keygen -H leaves it', async () => {
    await writeFile(theirs, `${lineOf('hub.example.com', key)}\n${lineOf('[hub.example.com]:2222', other)}\n`)
    execFileSync('ssh-keygen', ['-q', '-H', '-f', theirs], { stdio: 'ignore' })
    expect(await readFile(theirs, 'utf8')).not.toContain('example')
    expect(await open().check('hub.example.com', 22, key)).toBe('known')
    expect(await open().check('hub.example.com', 2222, other)).toBe('known')
    expect(await open().check('hub.example.com', 2222, key)).toBe('changed')
  })

  it('may have patterns, of which some take hosts away', async () => {
    await writeFile(theirs, `${lineOf('*.example.com,!bad.example.com,host-?', key)}\n`)
    const hosts = open()
    expect(await hosts.check('hub.example.com', 22, key)).toBe('known')
    expect(await hosts.check('bad.example.com', 22, key)).toBe('unknown')
    expect(await hosts.check('hubXexample.com', 22, key)).toBe('unknown')
    expect(await hosts.check('host-1', 22, key)).toBe('known')
  })

  it('may revoke a key, which is then refused although another line has it', async () => {
    await writeFile(theirs, `${lineOf('hub.example.com', key)}\n@revoked ${lineOf('*', key)}\n`)
    expect(await open().check('hub.example.com', 22, key)).toBe('revoked')
  })

  it('that names an authority makes no host known', async () => {
    await writeFile(theirs, `@cert-authority ${lineOf('*.example.com', key)}\n`)
    expect(await open().check('hub.example.com', 22, key)).toBe('unknown')
  })
})

it('another key than the known one is a change, also of another type, and the known type is asked for first', async () => {
  const hosts = open()
  await hosts.add('hub.example.com', 22, key)
  expect(await hosts.check('hub.example.com', 22, other)).toBe('changed')
  expect(await hosts.check('hub.example.com', 22, keyOf(1, 'ecdsa-sha2-nistp256'))).toBe('changed')
  expect(await hosts.algorithms('hub.example.com', 22)).toEqual(['ssh-ed25519'])
})

it('forgets a host in its own file and leaves that of the user alone', async () => {
  const hosts = open()
  await hosts.add('hub.example.com', 22, key)
  await hosts.add('hub.example.com', 2222, other)
  await writeFile(theirs, `${lineOf('hub.example.com', other)}\n`)
  await hosts.forget('hub.example.com', 22)
  expect(await hosts.check('hub.example.com', 22, key)).toBe('changed')
  expect(await hosts.check('hub.example.com', 2222, other)).toBe('known')
  expect(await readFile(theirs, 'utf8')).toBe(`${lineOf('hub.example.com', other)}\n`)
})

it('shows a fingerprint as ssh-keygen does', async () => {
  const file = path.join(folder.path, 'key')
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
  const blob = Buffer.from((await readFile(`${file}.pub`, 'utf8')).split(' ')[1] ?? '', 'base64')
  expect(execFileSync('ssh-keygen', ['-lf', file], { encoding: 'utf8' })).toContain(fingerprintOf(blob))
})
