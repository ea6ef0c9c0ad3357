import { describe, expect, it } from 'vitest'
import { diffLines, shownLines, type DiffLine } from '../../renderer/lib/diff.ts'

const signs = { same: ' ', removed: '-', added: '+' }
const written = (lines: readonly DiffLine[]): string[] => lines.map(({ kind, text }) => signs[kind] + text)
const sideOf = (lines: readonly DiffLine[], other: DiffLine['kind']): string =>
  lines
    .filter(({ kind }) => kind !== other)
    .map(({ text }) => text)
    .join('\n')
const numbered = (count: number, word: string): string[] => Array.from({ length: count }, (_, at) => `${word} ${at}`)

describe('the difference of two texts', () => {
  it.each([
    ['', '', []],
    ['', 'a', ['+a']],
    ['a', '', ['-a']],
    ['a\nb\nc', 'a\nc', [' a', '-b', ' c']],
    ['a\nb\nc', 'a\nx\nc', [' a', '-b', '+x', ' c']],
    ['a\na\na', 'a\na', [' a', ' a', '-a']],
    ['a\nb\nc\nd\ne', 'b\nc\nx\ne\nf', ['-a', ' b', ' c', '-d', '+x', ' e', '+f']],
  ])('of %j and %j', (before, after, lines) => {
    expect(written(diffLines(before, after))).toEqual(lines)
  })

  it('has both texts in it, whatever they are, and no more than it takes', () => {
    let seed = 7
    const next = (below: number): number => (seed = (seed * 48_271) % 2_147_483_647) % below
    for (let round = 0; round < 300; round++) {
      const [before, after] = [0, 0].map(() => Array.from({ length: 1 + next(12) }, () => 'abc'[next(3)] ?? ''))
      if (before === undefined || after === undefined) throw new Error('There are two')
      const lines = diffLines(before.join('\n'), after.join('\n'))
      expect(sideOf(lines, 'added')).toBe(before.join('\n'))
      expect(sideOf(lines, 'removed')).toBe(after.join('\n'))
      expect(lines.filter(({ kind }) => kind === 'same')).toHaveLength(commonLength(before, after))
    }
  })

  it('of long texts is as exact as of short ones where little differs', () => {
    const before = numbered(50_000, 'line')
    const after = before.with(10, 'other').with(40_000, 'another')
    const lines = diffLines(before.join('\n'), after.join('\n'))
    expect(written(lines.filter(({ kind }) => kind !== 'same'))).toEqual([
      '-line 10',
      '+other',
      '-line 40000',
      '+another',
    ])
  })

  it('of long texts that have little in common is all of both', () => {
    const before = ['first', ...numbered(50_000, 'old'), 'last']
    const after = ['first', ...numbered(60_000, 'new'), 'last']
    const lines = diffLines(before.join('\n'), after.join('\n'))
    expect(sideOf(lines, 'added')).toBe(before.join('\n'))
    expect(sideOf(lines, 'removed')).toBe(after.join('\n'))
    expect(written(lines.filter(({ kind }) => kind === 'same'))).toEqual([' first', ' last'])
  })
})

describe('what is shown of a difference', () => {
  it('is all of it where that is not long', () => {
    const lines = diffLines(numbered(2_000, 'line').join('\n'), numbered(1_999, 'line').join('\n'))
    expect(shownLines(lines)).toEqual(lines)
  })

  it('of a long one is what differs with a few lines around', () => {
    const before = numbered(5_000, 'line')
    const lines = diffLines(before.join('\n'), before.with(10, 'other').with(4_999, 'another').join('\n'))
    expect(
      shownLines(lines).map((line) => (line.kind === 'leftOut' ? line.count : signs[line.kind] + line.text)),
    ).toEqual([
      7,
      ...[' line 7', ' line 8', ' line 9', '-line 10', '+other', ' line 11', ' line 12', ' line 13'],
      4_982,
      ...[' line 4996', ' line 4997', ' line 4998', '-line 4999', '+another'],
    ])
  })

  it('is no more than a page can show', () => {
    const shown = shownLines(diffLines(numbered(60_000, 'old').join('\n'), numbered(60_000, 'new').join('\n')))
    expect(shown).toHaveLength(2_001)
    expect(shown.at(-1)).toEqual({ kind: 'leftOut', count: 118_000 })
  })
})

/** Of the longest common subsequence, the plain way. */
function commonLength(a: readonly string[], b: readonly string[]): number {
  const lengths = [new Array<number>(b.length + 1).fill(0)]
  for (const one of a) {
    const above = lengths.at(-1) ?? []
    const row = [0]
    for (const [j, other] of b.entries())
      row.push(one === other ? (above[j] ?? 0) + 1 : Math.max(above[j + 1] ?? 0, row[j] ?? 0))
    lengths.push(row)
  }
  return lengths.at(-1)?.at(-1) ?? 0
}
