/** What a message on the wire is, as far as the measurements look at it. */
export interface Head {
  /** The status line of an answer, or the request line of a request. */
  startLine: string
  header: (name: string) => string | null
}

export interface HttpEvents {
  head: (head: Head) => void
  /** A part of the body, without any framing. */
  part: (bytes: Buffer) => void
  end: () => void
}

const HEAD_END = Buffer.from('\r\n\r\n')
const LINE_END = Buffer.from('\r\n')
const EMPTY = Buffer.alloc(0)

/**
 * A reader of HTTP/1.1 messages, requests or answers, with a content-length or chunked. It is small so that the program
 * that measures costs less than the program that is measured; it trusts its peer and is for no other use.
 */
export function createHttpReader(events: HttpEvents): (chunk: Buffer) => void {
  let held: Buffer = EMPTY
  let state: 'head' | 'length' | 'chunk-size' | 'chunk' | 'trailer' = 'head'
  let left = 0

  function readHead(bytes: Buffer): Buffer | null {
    const end = bytes.indexOf(HEAD_END)
    if (end === -1) return null
    const head = parseHead(bytes.toString('latin1', 0, end))
    events.head(head)
    if (head.header('transfer-encoding')?.toLowerCase() === 'chunked') {
      state = 'chunk-size'
    } else {
      left = Number(head.header('content-length') ?? 0)
      if (left > 0) state = 'length'
      else events.end()
    }
    return bytes.subarray(end + HEAD_END.length)
  }

  function readPart(bytes: Buffer): Buffer {
    const taken = Math.min(left, bytes.length)
    left -= taken
    if (taken > 0) events.part(bytes.subarray(0, taken))
    if (left === 0) {
      const chunked = state === 'chunk'
      state = chunked ? 'trailer' : 'head'
      if (!chunked) events.end()
    }
    return bytes.subarray(taken)
  }

  function readChunkSize(bytes: Buffer): Buffer | null {
    const end = bytes.indexOf(LINE_END)
    if (end === -1) return null
    left = Number.parseInt(bytes.toString('latin1', 0, end), 16)
    if (left > 0) {
      state = 'chunk'
      return bytes.subarray(end + LINE_END.length)
    }
    // The last chunk is followed by an empty line.
    if (bytes.length < end + HEAD_END.length) return null
    state = 'head'
    events.end()
    return bytes.subarray(end + HEAD_END.length)
  }

  function step(bytes: Buffer): Buffer | null {
    if (state === 'head') return readHead(bytes)
    if (state === 'chunk-size') return readChunkSize(bytes)
    if (state === 'trailer') {
      if (bytes.length < LINE_END.length) return null
      state = 'chunk-size'
      return bytes.subarray(LINE_END.length)
    }
    return readPart(bytes)
  }

  return (chunk) => {
    let bytes: Buffer = held.length === 0 ? chunk : Buffer.concat([held, chunk])
    held = EMPTY
    while (bytes.length > 0) {
      const rest = step(bytes)
      if (rest === null) {
        held = bytes
        return
      }
      bytes = rest
    }
  }
}

function parseHead(text: string): Head {
  const lineEnd = text.indexOf('\r\n')
  const startLine = lineEnd === -1 ? text : text.slice(0, lineEnd)
  let lower: string | null = null
  return {
    startLine,
    header: (name) => {
      lower ??= text.toLowerCase()
      const at = lower.indexOf(`\r\n${name}:`)
      if (at === -1) return null
      const from = at + name.length + 3
      const end = text.indexOf('\r\n', from)
      return text.slice(from, end === -1 ? undefined : end).trim()
    },
  }
}
