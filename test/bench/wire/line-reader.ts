const NEWLINE = 0x0a

/** Splits a byte stream at newlines. A line that spans chunks is joined once, when it is whole. */
export function createLineReader(onLine: (line: Buffer) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = []
  return (chunk) => {
    let from = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, from)) {
      const piece = chunk.subarray(from, end)
      from = end + 1
      if (parts.length === 0) {
        onLine(piece)
      } else {
        const line = Buffer.concat([...parts, piece])
        parts = []
        onLine(line)
      }
    }
    if (from < chunk.length) parts.push(chunk.subarray(from))
  }
}
