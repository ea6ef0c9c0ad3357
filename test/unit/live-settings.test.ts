import { beforeEach, describe, expect, it } from 'vitest'
import type { SystemFile } from '../../hub/contract/index.ts'
import { createLiveSettings } from '../../hub/live-settings.ts'

let system: SystemFile
let taken: string[][]
let lines: string[]
let movedTo: number | undefined
beforeEach(() => {
  system = {}
  taken = []
  lines = []
  movedTo = undefined
})

function start() {
  const live = createLiveSettings({
    system: () => system,
    where: { mode: 'desktop', production: false },
    takeOver: (names) => taken.push([...names]),
    isThere: (name, value) => name === 'server.port' && value === movedTo,
    log: (level, message, data) => lines.push(`${level} ${message} ${JSON.stringify(data)}`),
  })
  return {
    live,
    set: (next: SystemFile) => {
      system = next
      live.changed()
    },
  }
}

describe('a change of system.json', () => {
  it('takes over what can change, and only that', () => {
    const { live, set } = start()
    set({ server: { allowedHosts: ['hub.example.com'], host: '127.0.0.2' }, auth: { maxLoginAttempts: 3 } })
    expect(taken).toEqual([['server.allowedHosts', 'auth.maxLoginAttempts']])
    expect(live.restartNeeded).toEqual(['server.host'])
    set({ server: { allowedHosts: ['hub.example.com'], host: '127.0.0.2' } })
    expect(taken[1]).toEqual(['auth.maxLoginAttempts'])
    // Said once, and kept for whoever asks.
    expect(lines.filter((line) => line.startsWith('warn'))).toHaveLength(1)
    expect(live.restartNeeded).toEqual(['server.host'])
  })

  it('to what holds anyway is none', () => {
    const { live, set } = start()
    set({ server: { port: 3737, allowedHosts: [] }, auth: { bcryptRounds: 12 }, rateLimit: { mcp: false } })
    expect([taken, lines, live.restartNeeded]).toEqual([[], [], []])
  })

  it('counts what follows from it: the one number of the guide sets two limits', () => {
    const { set } = start()
    set({ rateLimit: { maxRequests: 100 } })
    expect(taken).toEqual([['rateLimit.maxRequests', 'rateLimit.apiRead', 'rateLimit.apiWrite']])
  })

  it('needs no restart for an endpoint that was moved already', () => {
    const { live, set } = start()
    movedTo = 4000
    set({ server: { port: 4000 } })
    expect([live.restartNeeded, lines]).toEqual([[], []])
    set({ server: { port: 5000 } })
    expect(live.restartNeeded).toEqual(['server.port'])
  })

  it('that is taken back needs none any more', () => {
    const { live, set } = start()
    set({ auth: { mcp: 'none' } })
    expect(live.restartNeeded).toEqual(['auth.mcp'])
    set({})
    expect(live.restartNeeded).toEqual([])
  })
})
