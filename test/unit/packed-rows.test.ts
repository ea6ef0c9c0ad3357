import { expect, it } from 'vitest'
import { packRows, type PackedRows } from '../../hub/history/packed-rows.ts'

function unpack({ columns, cells, isText, texts }: PackedRows): (string | number | null)[][] {
  return Array.from({ length: cells.length / columns }, (_row, row) =>
    Array.from({ length: columns }, (_column, column) => {
      const cell = cells[row * columns + column] ?? Number.NaN
      if (Number.isNaN(cell)) return null
      return isText[column] === true ? (texts[cell] ?? null) : cell
    }),
  )
}

it('carries numbers, texts and nulls, also negative numbers and empty texts', () => {
  const rows = [
    [1_764_000_000_000, 'a', null, -32_603],
    [0.25, '', 'b', null],
    [null, null, 'a', 0],
  ]
  expect(unpack(packRows(rows, 4))).toEqual(rows)
})

it('carries a text that comes again once, and long ones as they are', () => {
  const long = 'x'.repeat(1_000)
  const packed = packRows(
    [
      ['a', long],
      ['a', long],
      ['b', 'a'],
    ],
    2,
  )
  expect(packed.texts).toEqual(['a', long, long, 'b'])
  expect(unpack(packed)).toEqual([
    ['a', long],
    ['a', long],
    ['b', 'a'],
  ])
})
