export interface DiffLine {
  readonly kind: 'same' | 'added' | 'removed'
  readonly text: string
}

/** What is empty has no line, rather than one without a word. */
const linesOf = (text: string): string[] => (text === '' ? [] : text.split('\n'))

/** Lines that differ, beyond which nobody reads a comparison line by line: the work grows with it, and its square is kept. */
const MAX_EDITS = 2_000

const all = (kind: DiffLine['kind'], texts: readonly string[]): DiffLine[] => texts.map((text) => ({ kind, text }))

/**
 * Line by line, with as few as possible that were removed or added. Where more than 2,000 were, what lies between the first and
 * the last difference is told as removed and added as a whole: of texts of any length, for a server may choose them.
 */
export function diffLines(before: string, after: string): DiffLine[] {
  const a = linesOf(before)
  const b = linesOf(after)
  const shorter = Math.min(a.length, b.length)
  let head = 0
  while (head < shorter && a[head] === b[head]) head++
  let tail = 0
  while (tail < shorter - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++
  const removed = a.slice(head, a.length - tail)
  const added = b.slice(head, b.length - tail)
  return [
    ...all('same', a.slice(0, head)),
    ...(shortestEdit(removed, added) ?? [...all('removed', removed), ...all('added', added)]),
    ...all('same', a.slice(a.length - tail)),
  ]
}

/** More lines than anybody reads at once, and few enough for a page to show at once. */
const MAX_SHOWN = 2_000
/** Lines that are the same, before and after each difference. */
const AROUND = 3

export interface LeftOut {
  readonly kind: 'leftOut'
  readonly count: number
}

/**
 * What is shown of a comparison: all of it up to 2,000 lines; of a longer one its differences with the 3 lines around each, and of
 * these the first 2,000. In the place of lines that are left out stands how many they are.
 */
export function shownLines(lines: readonly DiffLine[]): (DiffLine | LeftOut)[] {
  if (lines.length <= MAX_SHOWN) return [...lines]
  const isNear = new Uint8Array(lines.length)
  for (const [at, { kind }] of lines.entries())
    if (kind !== 'same') isNear.fill(1, Math.max(0, at - AROUND), at + AROUND + 1)
  const shown: (DiffLine | LeftOut)[] = []
  let count = 0
  const leaveOut = (): void => {
    if (count > 0) shown.push({ kind: 'leftOut', count })
    count = 0
  }
  for (const [at, line] of lines.entries()) {
    if (isNear[at] === 1 && shown.length < MAX_SHOWN) {
      leaveOut()
      shown.push(line)
    } else count++
  }
  leaveOut()
  return shown
}

/** Myers, "An O(ND) Difference Algorithm and Its Variations"; null where it takes more than `MAX_EDITS`. */
function shortestEdit(a: readonly string[], b: readonly string[]): DiffLine[] | null {
  const max = Math.min(a.length + b.length, MAX_EDITS)
  const middle = max + 1
  /** How far in `a` the best way comes on each diagonal `k` (of `a` less of `b`), at `middle + k`. */
  const reach = new Int32Array(2 * max + 3)
  const far = (k: number): number => reach[middle + k] ?? 0
  /** What of it was known before each number of edits. */
  const known: Int32Array[] = []
  for (let edits = 0; edits <= max; edits++) {
    known.push(reach.slice(middle - edits - 1, middle + edits + 2))
    for (let k = -edits; k <= edits; k += 2) {
      const adds = k === -edits || (k !== edits && far(k - 1) < far(k + 1))
      let x = adds ? far(k + 1) : far(k - 1) + 1
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x++
      reach[middle + k] = x
      if (x >= a.length && x - k >= b.length) return wayBack(a, b, known)
    }
  }
  return null
}

function wayBack(a: readonly string[], b: readonly string[], known: readonly Int32Array[]): DiffLine[] {
  const lines: DiffLine[] = []
  let x = a.length
  let y = b.length
  for (let edits = known.length - 1; edits >= 0; edits--) {
    const far = (k: number): number => known[edits]?.[k + edits + 1] ?? 0
    const k = x - y
    const adds = k === -edits || (k !== edits && far(k - 1) < far(k + 1))
    const fromX = edits === 0 ? 0 : far(adds ? k + 1 : k - 1)
    const fromY = edits === 0 ? 0 : fromX - (adds ? k + 1 : k - 1)
    while (x > fromX && y > fromY) {
      lines.push({ kind: 'same', text: a[--x] ?? '' })
      y--
    }
    if (edits > 0)
      lines.push(adds ? { kind: 'added', text: b[fromY] ?? '' } : { kind: 'removed', text: a[fromX] ?? '' })
    x = fromX
    y = fromY
  }
  return lines.reverse()
}
