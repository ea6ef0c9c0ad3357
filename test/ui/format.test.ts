import { describe, expect, it } from 'vitest'
import { createFormat } from '../../renderer/lib/format.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const format = createFormat('en', () => 1_000 * HOUR)
const at = (distance: number): string => format.ago(1_000 * HOUR + distance)

describe('a moment', () => {
  it.each([
    [HOUR, 'in 1 hr.'],
    [HOUR - 1, 'in 1 hr.'],
    [HOUR - 400, 'in 1 hr.'],
    [31 * MINUTE, 'in 31 min.'],
    [59 * MINUTE + 29_000, 'in 59 min.'],
    [24 * HOUR - 1, 'tomorrow'],
    [30 * 24 * HOUR - 20 * MINUTE, 'in 30 days'],
    [59_600, 'in 1 min.'],
    [400, 'now'],
  ])('to come in %i ms is rounded: %s', (distance, text) => expect(at(distance)).toBe(text))

  it.each([
    [-HOUR + 1, '59 min. ago'],
    [-HOUR, '1 hr. ago'],
    [-400, 'now'],
  ])('of %i ms is over: %s', (distance, text) => expect(at(distance)).toBe(text))
})

it('a call of less than a millisecond took some time, and a size below a kilobyte has its sign', () => {
  expect([0, 0.42, 0.999, 1.4, 999].map(format.duration)).toEqual(['0 ms', '0.42 ms', '1 ms', '1 ms', '999 ms'])
  expect([0, 211, 1_500, 15_000].map(format.bytes)).toEqual(['0 B', '211 B', '1.5 kB', '15 kB'])
})

describe('in Chinese', () => {
  const chinese = createFormat('zh-CN', () => 1_000 * HOUR)

  it('sets words apart from digits and Latin letters', () => {
    expect(chinese.ago(1_000 * HOUR - 29_000)).toBe('29 秒前')
    expect(chinese.duration(1_500)).toBe('1.5 秒')
    expect(chinese.list(['服务器 memory', 'echo', '配置集'])).toBe('服务器 memory、echo 和配置集')
  })
})
