import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { createParkingLot, type ParkingLot } from '../../hub/gateway/parked.ts'
import { createStateSeal } from '../../hub/gateway/request-state.ts'

const key = (text: string): Uint8Array => new TextEncoder().encode(text.padEnd(32, '.'))
const lots: ParkingLot[] = []
function hub(owner: string, keys = [key('shared')], ttlMs = 60_000): ParkingLot {
  const lot = createParkingLot({ ttlMs, max: 10, seal: createStateSeal(keys), owner })
  lots.push(lot)
  return lot
}
afterEach(() => lots.splice(0).forEach((lot) => lot.dispose()))

const whose = { principal: 'user:ann', endpoint: '/mcp/a', method: 'tools/call', server: 'a', name: 'ask' }
function stateAt(lot: ParkingLot): string {
  const parked = lot.park(whose, () => undefined)
  return lot.inputRequired(parked)['requestState'] as string
}
const find =
  (lot: ParkingLot, state: unknown, other: Partial<typeof whose> = {}) =>
  () =>
    lot.find(state, { ...whose, ...other })

describe('what a client carries between the rounds of a call', () => {
  it('leads back to the call, for the same principal, endpoint, method, server and name only', () => {
    const one = hub('1')
    const state = stateAt(one)
    expect(find(one, state)()).toMatchObject({ whose, round: 1 })
    for (const key of Object.keys(whose)) expect(find(one, state, { [key]: 'other' })).toThrow('not valid')
  })

  it('tells nothing of itself', () => {
    const state = stateAt(hub('1'))
    expect(Buffer.from(state.split('.')[1] ?? '', 'base64url').toString('latin1')).not.toContain('ann')
  })

  it('is good once', () => {
    const one = hub('1')
    const parked = one.park(whose, () => undefined)
    const [first] = [one.inputRequired(parked), one.inputRequired(parked)]
    expect(find(one, first['requestState'])).toThrow('not valid')
  })

  it('is good for as long as was said, whoever sets the clock', () => {
    const one = hub('1')
    const state = stateAt(one)
    const wall = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 3_600_000)
    onTestFinished(() => wall.mockRestore())
    expect(find(one, state)()).toMatchObject({ round: 1 })
    expect(find(hub('2'), state)).toThrow('not valid')
  })

  it('that reaches another hub is refused with where the call waits, and that it can be started over', () => {
    const refused = find(hub('2'), stateAt(hub('1')))
    expect(refused).toThrow(/waits .* at hub 1.*start the request over without requestState/)
    expect(refused).toThrow(
      expect.objectContaining({ code: -32602, data: { reason: 'requestState-elsewhere', owner: '1' } }),
    )
  })

  it('counts while the key is changed in two steps, and not under another key', () => {
    const state = stateAt(hub('1', [key('old')]))
    expect(find(hub('2', [key('new'), key('old')]), state)).toThrow('waits')
    expect(find(hub('2', [key('new')]), state)).toThrow('not valid')
  })

  it('is refused when it is over or was changed', () => {
    const one = hub('1', undefined, -1)
    expect(find(one, stateAt(one))).toThrow('not valid')
    const two = hub('2')
    const state = stateAt(two)
    const [kid = '', sealed = ''] = state.split('.')
    const bytes = Buffer.from(sealed, 'base64url')
    for (const at of [0, 13, bytes.length - 1]) {
      const changed = Buffer.from(bytes)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(find(two, `${kid}.${changed.toString('base64url')}`)).toThrow('not valid')
    }
    for (const nonsense of ['', kid, `${kid}.`, 'a.b.c', 5, null, {}]) expect(find(two, nonsense)).toThrow('not valid')
  })
})
