export interface LineReaderOptions {
  maxBytes: number
  /** `begunAt` is when a line began that came in several pieces, by `performance.now()`. */
  onLine: (line: Buffer, begunAt?: number) => void
  /** A line was too long: how it began and how it ended. */
  onOverflow: (head: Buffer, tail: Buffer) => void
  /** Whether the beginning of a long line is worth keeping the rest for; when not, it alone is given as the line. */
  accepts: (head: Buffer) => boolean
}

/** How much of either end of a line that is too long is told. */
const SHOWN = 128

/** Splits a byte stream at newlines. Chunks are kept and joined once a line is whole, so that a long line costs one copy. */
export function createLineReader(options: LineReaderOptions): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let held = 0
  let begunAt = 0
  /** Set while the rest of a line is not kept; `head` is null when nobody wants to hear of it. */
  let skipping: { head: Buffer | null; tail: Buffer } | null = null

  function skip(piece: Buffer): void {
    if (skipping?.head) skipping.tail = Buffer.concat([skipping.tail, piece.subarray(-SHOWN)]).subarray(-SHOWN)
  }

  function endLine(piece: Buffer): void {
    if (skipping !== null) {
      skip(piece)
      const { head, tail } = skipping
      skipping = null
      if (head !== null) options.onOverflow(head, tail)
      return
    }
    let line = piece
    let begun: number | undefined
    if (parts.length > 0) {
      begun = begunAt
      parts.push(piece)
      line = Buffer.concat(parts, held + piece.length)
      parts = []
      held = 0
    }
    if (line.length > options.maxBytes) options.onOverflow(line.subarray(0, SHOWN), line.subarray(-SHOWN))
    else if (line.length > 0) options.onLine(line.at(-1) === 0x0d ? line.subarray(0, -1) : line, begun)
  }

  function keep(rest: Buffer): void {
    if (skipping !== null) {
      skip(rest)
      return
    }
    if (parts.length === 0 && !options.accepts(rest)) {
      skipping = { head: null, tail: rest }
      options.onLine(rest)
      return
    }
    if (parts.length === 0) begunAt = performance.now()
    parts.push(rest)
    held += rest.length
    if (held <= options.maxBytes) return
    // Copied, so that the chunk it is a part of can go.
    const head = Buffer.from((parts[0] ?? rest).subarray(0, SHOWN))
    skipping = { head, tail: Buffer.from(rest.subarray(-SHOWN)) }
    parts = []
    held = 0
  }

  return (chunk) => {
    let from = 0
    for (let newline = chunk.indexOf(0x0a); newline !== -1; newline = chunk.indexOf(0x0a, from)) {
      endLine(chunk.subarray(from, newline))
      from = newline + 1
    }
    if (from < chunk.length) keep(chunk.subarray(from))
  }
}
