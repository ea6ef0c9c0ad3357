import { describe, expect, it } from 'vitest'
import { placeTooltip, type TooltipSide } from '../../renderer/ui/tooltip-place.ts'

const page = { width: 1_000, height: 600 }
const tooltip = { width: 100, height: 30 }
const button = (left: number, top: number) => ({ left, top, width: 40, height: 20 })
const place = (left: number, top: number, side: TooltipSide) => placeTooltip(button(left, top), tooltip, page, side)

describe('the place of a tooltip', () => {
  it.each([
    ['top', { left: 470, top: 265 }],
    ['bottom', { left: 470, top: 325 }],
    ['left', { left: 395, top: 295 }],
    ['right', { left: 545, top: 295 }],
  ] as const)('is at the middle of the %s', (side, expected) => {
    expect(place(500, 300, side)).toEqual(expected)
  })

  it.each([
    ['top', 500, 10, { left: 470, top: 35 }],
    ['bottom', 500, 570, { left: 470, top: 535 }],
    ['left', 20, 300, { left: 65, top: 295 }],
    ['right', 940, 300, { left: 835, top: 295 }],
  ] as const)('is across where there is no room at the %s', (side, left, top, expected) => {
    expect(place(left, top, side)).toEqual(expected)
  })

  it('keeps off the edges of the window', () => {
    expect(place(0, 300, 'bottom').left).toBe(8)
    expect(place(980, 300, 'bottom').left).toBe(892)
    expect(placeTooltip(button(500, 10), { width: 100, height: 590 }, page, 'bottom').top).toBe(8)
  })
})
