import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { ENVELOPE } from './message-ends.ts'

export interface EventReaderOptions {
  /** So many characters of an event are kept. */
  maxSize: number
  onEvent: (event: EventSourceMessage) => void
  /** An event was too long: how its data began and how they ended. */
  onOverflow: (head: string, tail: string) => void
}

const FIELD = /^data: ?/
const HEAD = 'data: '.length + ENVELOPE

/** Reads the events of a stream in pieces as they come. One that is too long is skipped, and everything else is read. */
export function createEventReader({ maxSize, onEvent, onOverflow }: EventReaderOptions): (text: string) => void {
  let isTooLong = false
  const parser = createParser({
    onEvent,
    onError: ({ type }) => (isTooLong ||= type === 'max-buffer-size-exceeded'),
    maxBufferSize: maxSize,
  })
  /** How the line began that is being read. */
  let head = ''
  /** How the part ended that came of a line that is skipped; null when none is. */
  let tail: string | null = null

  function over(end: string): void {
    tail = null
    onOverflow(head.replace(FIELD, ''), end)
    head = ''
  }

  /** A line with its end, or a part of one. */
  function take(piece: string): void {
    const isWhole = piece.endsWith('\n')
    if (tail !== null) {
      tail = (tail + piece).slice(-ENVELOPE)
      if (isWhole) over(tail)
      return
    }
    if (head.length < HEAD) head += piece.slice(0, HEAD - head.length)
    parser.feed(piece)
    if (isTooLong) {
      isTooLong = false
      parser.reset()
      tail = piece.slice(-ENVELOPE)
      if (isWhole) over(tail)
    } else if (isWhole) head = ''
  }

  return (text) => {
    let from = 0
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      take(text.slice(from, end + 1))
      from = end + 1
    }
    if (from < text.length) take(text.slice(from))
  }
}
