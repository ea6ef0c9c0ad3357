/** Splits a byte stream at newlines. Chunks are kept and joined once a line is whole, so that a long line costs one copy. */
export function createLineReader(options: {
  maxBytes: number
  onLine: (line: Buffer) => void
  onOverflow: () => void
}): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  let held = 0
  let skipping = false

  return (chunk) => {
    let from = 0
    for (;;) {
      const newline = chunk.indexOf(0x0a, from)
      if (newline === -1) break
      const piece = chunk.subarray(from, newline)
      from = newline + 1
      if (skipping) {
        skipping = false
        continue
      }
      let line = piece
      if (parts.length > 0) {
        parts.push(piece)
        line = Buffer.concat(parts, held + piece.length)
        parts = []
        held = 0
      }
      if (line.length > options.maxBytes) options.onOverflow()
      else if (line.length > 0) options.onLine(line.at(-1) === 0x0d ? line.subarray(0, -1) : line)
    }
    if (from >= chunk.length || skipping) return
    const rest = chunk.subarray(from)
    parts.push(rest)
    held += rest.length
    if (held > options.maxBytes) {
      parts = []
      held = 0
      skipping = true
      options.onOverflow()
    }
  }
}
