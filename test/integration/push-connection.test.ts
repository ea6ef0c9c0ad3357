import { randomBytes } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { RunResult } from '../../hub/contract/index.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'
import { createStage, yes, type Stage } from '../fixtures/push-target/stage.ts'
import { writePrograms, writeSudo } from '../fixtures/push-target/target.ts'
import { mountSmallDisk } from '../fixtures/small-disk.ts'
import { makeKey, startAgent, startCutter, startSshd, type Sshd } from '../fixtures/sshd.ts'

// A machine that does much else takes its time for each process of the SSH server.
vi.setConfig({ testTimeout: 120_000 })

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let sshd: Sshd
let key: string
let env: Record<string, string>
const at = (...parts: string[]): string => path.join(folder.path, ...parts)
const PASSPHRASE = 'Cnry9Passphrase7Zq4Wm'
const SUDO = 'Cnry9SudoPassword7Zq4Wm'
const closers: (() => unknown)[] = []

beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(at('dist'))
  // An archive that takes a while on its way.
  await writeFile(at('dist', 'hub', 'large.bin'), randomBytes(3_000_000))
  key = makeKey(folder.path, 'user_key')
  const bin = await writePrograms(folder.path)
  await writeSudo(bin, SUDO)
  env = { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` }
  sshd = await startSshd(folder.path, { keys: [key], env })
})
afterAll(async () => {
  await sshd.close()
  await folder.dispose()
})
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

let count = 0
let stage: Stage
beforeEach(async () => {
  stage = await createStage(at(String(++count)), { sshd, key, distDir: at('dist') })
})

const failedWith = (code: string, detail: string): Partial<RunResult> => ({
  outcome: 'failed',
  problem: expect.objectContaining({
    code,
    detail: expect.stringContaining(detail) as unknown,
  }) as RunResult['problem'],
})

describe('the key of a host', () => {
  it('is not trusted without a yes, is kept as OpenSSH keeps it, and another one is refused until it is forgotten', async () => {
    const no = await stage.run('plan', { answer: () => Promise.resolve({ yes: false }) })
    expect(no.result).toMatchObject({
      outcome: 'cancelled',
      message: expect.stringContaining('Nothing was changed') as unknown,
    })

    const known = await stage.run('plan')
    expect(known.result.outcome).toBe('done')
    const [algorithm = '', blob = ''] = (await readFile(at('host_key.pub'), 'utf8')).split(' ')
    const file = at(String(count), 'here', 'known_hosts')
    expect(await readFile(file, 'utf8')).toBe(`[127.0.0.1]:${sshd.port} ${algorithm} ${blob.trim()}\n`)
    expect(known.questions).toMatchObject([{ kind: 'host-key', hop: 'target', algorithm, port: sshd.port }])

    const other = await startSshd(folder.path, { keys: [key], env, name: `other_${count}` })
    closers.push(other.close)
    await writeFile(file, (await readFile(file, 'utf8')).replaceAll(String(sshd.port), String(other.port)))
    const changed = await stage.run('plan', { connection: { port: other.port } })
    expect(changed.result).toMatchObject(failedWith('HUB_HOST_KEY_REFUSED', 'another one is known'))
    expect(changed.questions).toEqual([])

    await stage.service.knownHosts.forget('127.0.0.1', other.port)
    expect((await stage.run('plan', { connection: { port: other.port } })).questions).toMatchObject([
      { kind: 'host-key' },
    ])
  })
})

describe('signing in', () => {
  it('refuses a key that the server does not know, and tells which', async () => {
    const stranger = makeKey(at(String(count), 'there'), 'stranger')
    const { result } = await stage.run('plan', { connection: { signIn: { method: 'key', file: stranger } } })
    expect(result).toMatchObject(failedWith('HUB_TARGET_SIGN_IN_FAILED', stranger))
    const missing = await stage.run('plan', { connection: { signIn: { method: 'key', file: '/nowhere/key' } } })
    expect(missing.result).toMatchObject(failedWith('HUB_TARGET_SIGN_IN_FAILED', '/nowhere/key'))
  })

  it('asks for the passphrase of a key and for the password of sudo, again after a wrong one, and keeps neither', async () => {
    const locked = makeKey(folder.path, `locked_${count}`, PASSPHRASE)
    const own = await startSshd(folder.path, { keys: [locked], env, name: `sudo_${count}` })
    closers.push(own.close)
    const run = await stage.run('push', {
      connection: { port: own.port, sudo: true, signIn: { method: 'key', file: locked } },
      answer: (question) =>
        question.kind === 'passphrase'
          ? Promise.resolve({ secret: question.wrong ? PASSPHRASE : 'not this' })
          : question.kind === 'sudo-password'
            ? Promise.resolve({ secret: question.wrong ? SUDO : 'nor that' })
            : yes(question, new AbortController().signal),
    })
    expect(run.result).toMatchObject({ outcome: 'done', problem: null })
    expect(run.questions.map(({ kind }) => kind)).toEqual([
      ...['passphrase', 'passphrase', 'host-key', 'sudo-password', 'sudo-password', 'confirm-push'],
    ])
    const files = await readdir(at(String(count)), { recursive: true, withFileTypes: true })
    const kept = await Promise.all(
      files
        .filter((entry) => entry.isFile())
        .map((entry) => readFile(path.join(entry.parentPath, entry.name), 'latin1')),
    )
    const everything = JSON.stringify([run, kept])
    for (const secret of [PASSPHRASE, SUDO]) expect(everything).not.toContain(secret)
  })

  it('goes through a jump host with a key of an agent', async () => {
    const inAgent = makeKey(folder.path, `agent_${count}`)
    const agent = startAgent(at(String(count)), inAgent)
    closers.push(agent.close)
    const jump = await startSshd(folder.path, { keys: [inAgent], name: `jump_${count}` })
    closers.push(jump.close)
    const before = process.env['SSH_AUTH_SOCK']
    process.env['SSH_AUTH_SOCK'] = agent.socket
    closers.push(() => {
      if (before === undefined) delete process.env['SSH_AUTH_SOCK']
      else process.env['SSH_AUTH_SOCK'] = before
    })
    const hop = { host: jump.host, port: jump.port, user: jump.user }
    const { result, questions } = await stage.run('plan', { connection: { jump: hop } })
    expect(result.outcome).toBe('done')
    expect(questions).toMatchObject([
      { kind: 'host-key', hop: 'jump', port: jump.port },
      { kind: 'host-key', hop: 'target', port: sshd.port },
    ])
    // The agent's key is not one that the target lets in.
    const refused = await stage.run('plan', { connection: { jump: hop, signIn: { method: 'agent' } } })
    expect(refused.result).toMatchObject(failedWith('HUB_TARGET_SIGN_IN_FAILED', 'SSH agent'))
  })

  it('tells of a port where nobody is', async () => {
    const { result } = await stage.run('push', { connection: { port: 1 } })
    expect(result).toMatchObject(failedWith('HUB_TARGET_UNREACHABLE', '127.0.0.1:1'))
    expect(result.record).toBeNull()
  })
})

describe('a connection that breaks in the middle of the upload', () => {
  it('is made again, and the upload goes on where it ended', async () => {
    const way = await startCutter(sshd.port)
    closers.push(way.close)
    const { result, events } = await stage.run('push', {
      connection: { port: way.port },
      answer: (question, signal) => {
        if (question.kind === 'confirm-push') way.cutAfter = 1_500_000
        return yes(question, signal)
      },
    })
    expect(result).toMatchObject({ outcome: 'done', problem: null })
    expect(way.cuts).toBeGreaterThan(0)
    const again = events.find((event) => event.type === 'step' && event.message.startsWith('Going on after'))
    expect(again).toBeDefined()
  })

  it('leaves what arrived for the next push, when it cannot be made again', async () => {
    const way = await startCutter(sshd.port)
    closers.push(way.close)
    way.dead = true
    const connection = { port: way.port }
    const cut = await stage.run('push', {
      connection,
      answer: (question, signal) => {
        if (question.kind === 'confirm-push') way.cutAfter = 1_500_000
        return yes(question, signal)
      },
    })
    expect(cut.result).toMatchObject(failedWith('HUB_TARGET_UNREACHABLE', 'could not be found out'))
    expect((await stage.service.history.newest('shop'))?.outcome).toBe('failed')
    way.dead = false
    const plan = await stage.run('plan', { connection })
    expect(plan.result.plan?.uploadedBytes).toBeGreaterThan(0)
    expect(plan.result.plan?.uploadedBytes).toBeLessThan(plan.result.plan?.archiveBytes ?? 0)
  })
})

it('a connection that breaks while the script works does not end the script, and is made again', async () => {
  const way = await startCutter(sshd.port)
  closers.push(way.close)
  await stage.told.say('wait-at-health')
  const { result, steps } = await stage.run('push', {
    connection: { port: way.port },
    onEvent: (event) => {
      if (event.type !== 'step' || event.step !== 'health' || event.state !== 'start') return
      sshd.cut()
      void stage.told.unsay('wait-at-health')
    },
  })
  expect(result).toMatchObject({ outcome: 'done', problem: null })
  // Nothing of what the script told is missing, and nothing is told twice.
  expect(steps.filter((step) => /^(?:preflight|switch|health)/.test(step))).toEqual([
    'preflight ok',
    'switch ok',
    'health ok',
  ])
})

it('a connection that breaks at the beginning of every step is made again, and each is done once', async () => {
  const cutAt = new Set<string>()
  const { result, steps } = await stage.run('push', {
    onEvent: (event) => {
      // `connect` is the connecting itself.
      if (event.type !== 'step' || event.state !== 'start' || event.step === 'connect' || cutAt.has(event.step)) return
      cutAt.add(event.step)
      sshd.cut()
    },
  })
  expect(result).toMatchObject({ outcome: 'done', problem: null })
  const told = ['inspect', 'lock', 'upload', 'unpack', 'preflight', 'config', 'secrets', 'switch', 'health']
  expect([...cutAt]).toEqual(expect.arrayContaining(told))
  for (const step of told)
    expect(
      steps.filter((each) => each === `${step} ok`),
      step,
    ).toHaveLength(1)
  expect(await stage.inUse()).toBe(result.inUse)
  expect(await readdir(path.join(stage.root, 'incoming'))).toEqual([])
})

describe('a disk that is full', () => {
  it('is found by the plan', async () => {
    const place = at(String(count), 'small')
    await mkdir(place)
    const unmount = mountSmallDisk(place)
    if (unmount === null) return
    closers.push(unmount)
    const { result } = await stage.run('push', { target: { installDir: path.join(place, 'hub') } })
    expect(result).toMatchObject(failedWith('HUB_TARGET_UNFIT', 'of free disk'))
    expect(await readdir(place)).toEqual([])
  })

  it('or by the upload, when it filled meanwhile', async () => {
    const place = at(String(count), 'small')
    await mkdir(place)
    const unmount = mountSmallDisk(place, 64)
    if (unmount === null) return
    closers.push(unmount)
    const { result } = await stage.run('push', {
      target: { installDir: path.join(place, 'hub') },
      answer: async (question, signal) => {
        if (question.kind === 'confirm-push') await writeFile(path.join(place, 'else'), Buffer.alloc(62 * 1_048_576))
        return yes(question, signal)
      },
    })
    expect(result).toMatchObject(failedWith('HUB_TARGET_UNFIT', 'the disk of the target is full'))
    expect(result.inUse).toBeNull()
  })

  it('or when the archive is unpacked, of which nothing is left then', async () => {
    const place = at(String(count), 'small')
    await mkdir(place)
    const unmount = mountSmallDisk(place, 64)
    if (unmount === null) return
    closers.push(unmount)
    const { result } = await stage.run('push', {
      target: { installDir: path.join(place, 'hub') },
      onEvent: (event) => {
        if (event.type === 'step' && event.step === 'unpack' && event.state === 'start') fill(path.join(place, 'else'))
      },
    })
    expect(result).toMatchObject(failedWith('HUB_TARGET_UNFIT', 'the disk of the target is full'))
    expect(result.inUse).toBeNull()
    expect(await readdir(path.join(place, 'hub/releases'))).toEqual([])
  })
})

/** Until nothing fits any more. */
function fill(file: string): void {
  const descriptor = openSync(file, 'w')
  try {
    for (;;) writeSync(descriptor, Buffer.alloc(262_144))
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC')
  } finally {
    closeSync(descriptor)
  }
}
