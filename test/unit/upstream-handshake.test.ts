import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { legacyHello, modernHello, notFound, scripted, type ScriptedChannel } from '../fixtures/scripted-channel.ts'

const exited = { code: 'exited' as const, message: 'The server process exited with code 1', cure: '' }

describe('the probe', () => {
  it('takes a list of versions, and nothing less, for a server of the modern era', async () => {
    const modern = scripted(({ method }) => (method === 'server/discover' ? modernHello : undefined))
    expect(await modern.connection.start()).toMatchObject({ era: 'modern', version: '2026-07-28' })
    expect(modern.last().sent).toHaveLength(1)

    for (const lenient of [{}, { supportedVersions: '2026-07-28' }, { supportedVersions: ['2020-01-01'] }, null]) {
      const { connection, last } = scripted(({ method }) =>
        method === 'server/discover' ? { result: lenient } : legacyHello,
      )
      expect(await connection.start()).toMatchObject({ era: 'legacy', version: '2025-11-25' })
      expect(last().sent.map(({ method }) => method)).toEqual(['server/discover', 'initialize'])
      expect(last().notified.map(({ method }) => method)).toEqual(['notifications/initialized'])
    }
  })

  it('is done on the connection itself: a refusal costs no second process', async () => {
    const { connection, channels } = scripted(({ method }) => (method === 'initialize' ? legacyHello : notFound))
    await connection.start()
    expect(channels).toHaveLength(1)
  })

  it('is asked once more in a version that the server names, even if it is the same', async () => {
    let asked = 0
    const { connection, last } = scripted(({ method }) => {
      if (method !== 'server/discover') return undefined
      return ++asked === 1
        ? { error: { code: -32022, message: 'Unsupported', data: { supported: ['2026-07-28'], requested: 'x' } } }
        : modernHello
    })
    expect((await connection.start()).era).toBe('modern')
    expect(last().sent.map(({ method }) => method)).toEqual(['server/discover', 'server/discover'])
  })

  it('falls back to initialize where the server names only versions of that era', async () => {
    const { connection } = scripted(({ method }) =>
      method === 'initialize'
        ? legacyHello
        : { error: { code: -32022, message: 'Unsupported', data: { supported: ['2025-11-25'] } } },
    )
    expect((await connection.start()).era).toBe('legacy')
  })

  it('says which versions a server speaks that shares none with the hub', async () => {
    const { connection } = scripted(() => ({
      error: { code: -32022, message: 'Unsupported', data: { supported: ['2031-01-01'] } },
    }))
    await expect(connection.start()).rejects.toThrow('2031-01-01')
  })

  it('gives a server that exits on it a fresh process and no probe', async () => {
    const { connection, channels } = scripted(function (this: ScriptedChannel, { method }) {
      if (method === 'initialize') return legacyHello
      queueMicrotask(() => channels[0]?.handlers.onClose(exited))
      return undefined
    })
    expect((await connection.start()).era).toBe('legacy')
    expect(channels.map(({ sent }) => sent.map(({ method }) => method))).toEqual([['server/discover'], ['initialize']])
    expect(channels[0]?.closed).toBe(true)
  })

  it('that a server exits on is followed by no second process once the connection is closed', async () => {
    const { connection, channels } = scripted(function (this: ScriptedChannel, { method }) {
      if (method === 'initialize') return legacyHello
      queueMicrotask(() => channels[0]?.handlers.onClose(exited))
      return undefined
    })
    let release: () => void = () => undefined
    const gone = new Promise<void>((resolve) => (release = resolve))
    channels[0]!.close = () => gone
    const start = connection.start().catch((error: unknown) => error)
    await turn()
    const closed = connection.close()
    release()
    await closed
    expect(await start).toMatchObject({ reason: exited })
    expect(channels).toHaveLength(1)
  })

  it('that a server exits on is not followed by a second process where it is spared', async () => {
    const { connection, channels } = scripted(
      function (this: ScriptedChannel) {
        queueMicrotask(() => channels[0]?.handlers.onClose(exited))
        return undefined
      },
      { startsAgain: false },
    )
    await expect(connection.start()).rejects.toThrow(exited.message)
    expect(channels).toHaveLength(1)
  })

  it('that a slow server answers late still decides, whichever era it is of', async () => {
    const legacy = scripted(({ method }) => (method === 'initialize' ? legacyHello : undefined))
    expect((await legacy.connection.start()).era).toBe('legacy')
    expect(legacy.connection.probeUnanswered).toBe(true)

    const modern = scripted(({ id, method }) => {
      if (method !== 'initialize') return undefined
      queueMicrotask(() => modern.last().reply(id - 1, modernHello))
      return notFound
    })
    expect((await modern.connection.start()).era).toBe('modern')
    expect(modern.connection.probeUnanswered).toBe(false)
  })
})
