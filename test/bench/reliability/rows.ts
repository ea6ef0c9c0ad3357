import type { Row } from './row.ts'
import { configRows } from './rows/config.ts'
import { fuzzRows } from './rows/fuzz.ts'
import { historyRows } from './rows/history.ts'
import { loadRows } from './rows/load.ts'
import { processRows } from './rows/process.ts'
import { storeRows } from './rows/stores.ts'

/** In the order of their numbers. */
export const rows: readonly Row[] = [
  ...configRows,
  ...fuzzRows,
  ...historyRows,
  ...loadRows,
  ...processRows,
  ...storeRows,
].toSorted((a, b) => Number(a.id.slice(1)) - Number(b.id.slice(1)))
