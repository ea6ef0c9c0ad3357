type Cell = string | number | null

/**
 * Rows on their way to the thread of the database: numbers in one block that changes hands without being copied, each text
 * once. Most texts of a request are those of the request before it, so this costs a fraction of JSON or of objects.
 */
export interface PackedRows {
  columns: number
  /** Row by row. In a column of texts, where the text stands in `texts`; NaN for null. */
  cells: Float64Array<ArrayBuffer>
  isText: boolean[]
  texts: string[]
}

/** Longer ones are hardly ever the same, and dear to compare. */
const MAX_SHARED_LENGTH = 300

/** A column holds numbers or texts, not both. */
export function packRows(rows: readonly (readonly Cell[])[], columns: number): PackedRows {
  const cells = new Float64Array(rows.length * columns).fill(Number.NaN)
  const isText = new Array<boolean>(columns).fill(false)
  const texts: string[] = []
  const known = new Map<string, number>()

  function placeOf(text: string): number {
    const place = text.length > MAX_SHARED_LENGTH ? undefined : known.get(text)
    if (place !== undefined) return place
    if (text.length <= MAX_SHARED_LENGTH) known.set(text, texts.length)
    return texts.push(text) - 1
  }

  /** Of the row before, whose texts most rows have: by column, the text and its place. */
  const textBefore: string[] = []
  const placeBefore: number[] = []
  let at = 0
  for (const row of rows)
    for (let column = 0; column < columns; column++, at++) {
      const cell = row[column] ?? null
      if (typeof cell === 'string') {
        isText[column] = true
        if (cell.length > MAX_SHARED_LENGTH || cell !== textBefore[column]) {
          textBefore[column] = cell
          placeBefore[column] = placeOf(cell)
        }
        cells[at] = placeBefore[column] ?? 0
      } else if (cell !== null) cells[at] = cell
    }
  return { columns, cells, isText, texts }
}
