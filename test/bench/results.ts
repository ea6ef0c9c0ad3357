import { median } from './lib/statistics.ts'
import type { RowFigures } from './rows/stage.ts'

/** What each round showed, by row and contender. */
export interface Results {
  add: (row: string, contender: string, round: number, figures: RowFigures) => void
  /** The median over the rounds. */
  figure: (row: string, contender: string, key: string) => number
  /** The median of what is made of one round's figures of several contenders, so that noise of a round cancels out. */
  combine: (row: string, make: (of: (contender: string, key: string) => number) => number) => number
  /** The sum of a figure over every row and round. */
  total: (contender: string, key: string) => number
  has: (row: string) => boolean
  toJson: () => object
}

export function createResults(): Results {
  const rows = new Map<string, Map<number, Map<string, RowFigures>>>()

  const roundsOf = (row: string): Map<string, RowFigures>[] => [...(rows.get(row)?.values() ?? [])]
  const value = (round: Map<string, RowFigures>, contender: string, key: string): number =>
    round.get(contender)?.[key] ?? Number.NaN

  return {
    add: (row, contender, round, figures) => {
      const rounds = rows.get(row) ?? new Map<number, Map<string, RowFigures>>()
      rows.set(row, rounds)
      const contenders = rounds.get(round) ?? new Map<string, RowFigures>()
      rounds.set(round, contenders)
      contenders.set(contender, figures)
    },
    figure: (row, contender, key) => median(roundsOf(row).map((round) => value(round, contender, key))),
    combine: (row, make) =>
      median(roundsOf(row).map((round) => make((contender, key) => value(round, contender, key)))),
    total: (contender, key) =>
      [...rows.values()]
        .flatMap((rounds) => [...rounds.values()])
        .reduce((sum, round) => sum + (round.get(contender)?.[key] ?? 0), 0),
    has: (row) => rows.has(row),
    toJson: () =>
      Object.fromEntries(
        [...rows].map(([row, rounds]) => [
          row,
          [...rounds.values()].map((contenders) => Object.fromEntries(contenders)),
        ]),
      ),
  }
}
