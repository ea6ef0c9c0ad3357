import { monitorEventLoopDelay } from 'node:perf_hooks'
import bcrypt from 'bcryptjs'
import { afterAll, describe, expect, it } from 'vitest'
import { createPasswords, roundsOf } from '../../hub/auth/passwords.ts'

const passwords = createPasswords(() => 10)
afterAll(() => passwords.dispose())

describe('passwords', () => {
  it('are hashed with bcrypt, and hashes of other programs are taken', async () => {
    const hash = await passwords.hash('a long enough password')
    expect(roundsOf(hash)).toBe(10)
    expect(await passwords.verify('a long enough password', hash, 10)).toBe(true)
    expect(await passwords.verify('another password', hash, 10)).toBe(false)
    // As htpasswd -B writes it.
    const foreign = bcrypt.hashSync('secret', 4).replace('$2b$', '$2y$')
    expect(await passwords.verify('secret', foreign, 10)).toBe(true)
    expect(await passwords.verify('secret', null, 10)).toBe(false)
  })

  it('of more than 72 bytes are refused, not cut', async () => {
    // 26 Chinese characters are 78 bytes: bcrypt would take two of them with the same beginning for one.
    await expect(passwords.hash('密'.repeat(26))).rejects.toMatchObject({ code: 'HUB_BAD_REQUEST' })
    await expect(passwords.verify('x'.repeat(73), null, 10)).rejects.toThrow('73 bytes')
    expect(await passwords.verify('x'.repeat(72), null, 10)).toBe(false)
  })

  it('take as long to check for nobody, and for a cheaper hash, as for the dearest', async () => {
    const cheap = bcrypt.hashSync('secret', 4)
    const dear = bcrypt.hashSync('secret', 9)
    const equal = createPasswords(() => 9)
    const hashes = [cheap, null, dear]
    const least = hashes.map(() => Infinity)
    // In turns, so that what disturbs one disturbs all.
    for (let run = 0; run < 8; run++)
      for (const [at, hash] of hashes.entries()) {
        const startedAt = performance.now()
        await equal.verify('guess', hash, 9)
        least[at] = Math.min(least[at]!, performance.now() - startedAt)
      }
    const [forCheap, forNobody, forDear] = least as [number, number, number]
    await equal.dispose()
    // 32 times less work would show as 32 times; noise on a busy machine does not.
    expect(forCheap).toBeGreaterThan(forDear * 0.6)
    expect(forNobody).toBeGreaterThan(forDear * 0.6)
  })

  it('8 sign-ins at once do not hold up the hub', async () => {
    const delay = monitorEventLoopDelay({ resolution: 5 })
    delay.enable()
    await Promise.all(Array.from({ length: 8 }, () => passwords.verify('guess', null, 10)))
    delay.disable()
    expect(delay.max / 1e6).toBeLessThan(250)
  }, 20_000)

  it('wait for each other only so long; who would wait longer is refused at once', async () => {
    const few = createPasswords(() => 10, { threads: 1, maxWaitMs: 200 })
    const tries = await Promise.allSettled(Array.from({ length: 20 }, () => few.verify('guess', null, 10)))
    const refused = tries.filter((one) => one.status === 'rejected')
    expect(refused.length).toBeGreaterThan(10)
    expect(few.refused).toBe(refused.length)
    for (const { reason } of refused)
      expect(reason).toMatchObject({ code: 'HUB_BUSY', retryAfterMs: expect.any(Number) as number })
    expect(tries[0]).toEqual({ status: 'fulfilled', value: false })
    expect(tries[1]).toEqual({ status: 'fulfilled', value: false })
    // What is dearer than all that may wait is done when nothing waits.
    expect(await few.verify('guess', null, 12)).toBe(false)
    await few.dispose()
  }, 30_000)

  it('are rated by what attackers try', async () => {
    expect((await passwords.strength('password1234', [])).score).toBeLessThan(3)
    expect((await passwords.strength('annabelle-smith', ['annabelle-smith'])).score).toBeLessThan(3)
    expect((await passwords.strength('correct horse battery staple', [])).score).toBe(4)
  })
})
