import type { Contender, ContenderName } from '../contenders/contender.ts'
import type { Window } from '../load/driver.ts'

export type RowFigures = Record<string, number>

export interface RowInfo {
  id: string
  title: string
}

/** Rows that share the processes they run against. */
export interface Stage {
  rows: RowInfo[]
  run: (round: Round) => Promise<void>
}

export interface Round {
  /** In an order that differs by round, so that none is always first. */
  contenders: Contender[]
  /** Our hub with 20 servers that never work beside those of the row. */
  oursWithDead: Contender
  window: Window
  wants: (row: string) => boolean
  record: (row: string, contender: ContenderName | 'ours+dead', figures: RowFigures) => void
  /** Something that a contender could not do; the round goes on. */
  fault: (row: string, contender: ContenderName | 'ours+dead', error: unknown) => void
}
