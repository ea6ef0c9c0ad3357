import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { ENVELOPE } from './message-ends.ts'

export interface EventReaderOptions {
  /** So many characters of an event are kept. */
  maxSize: number
  onEvent: (event: EventSourceMessage) => void
  /** An event was too long: how its data began and how they ended. */
  onOverflow: (head: string, tail: string) => void
}

const FIELD = 'data:'
const LINE_END = /\r\n?|\n/g

/** Reads the events of a stream in pieces as they come. One that is too long is skipped, and everything else is read. */
export function createEventReader({ maxSize, onEvent, onOverflow }: EventReaderOptions): (text: string) => void {
  let isTooLong = false
  const parser = createParser({
    onEvent,
    onError: ({ type }) => (isTooLong ||= type === 'max-buffer-size-exceeded'),
    maxBufferSize: maxSize,
  })
  /** The beginning of a line that is too short yet to tell what it is. */
  let held = ''
  let isLineStart = true
  let isData = false
  /** The text before ended with a CR: an LF that comes now is of the same line end. */
  let afterReturn = false
  let isSkipping = false
  /** How the data of the event began that is being read, and how they ended so far. */
  let head = ''
  let tail = ''

  function note(data: string): void {
    if (head.length < ENVELOPE) head += data.slice(0, ENVELOPE - head.length)
    tail = data.length >= ENVELOPE ? data.slice(-ENVELOPE) : (tail + data).slice(-ENVELOPE)
  }

  /** A line with its end, or a part of one: so much at its beginning as tells what it is. */
  function take(piece: string, isWhole: boolean): void {
    const isBlank = isLineStart && (piece[0] === '\n' || piece[0] === '\r')
    if (isLineStart) isData = piece.startsWith(FIELD)
    if (isData) note(isLineStart ? piece.slice(piece[FIELD.length] === ' ' ? FIELD.length + 1 : FIELD.length) : piece)
    isLineStart = isWhole
    if (!isSkipping) {
      parser.feed(piece)
      if (isTooLong) {
        isTooLong = false
        isSkipping = true
        parser.reset()
      }
    }
    if (!isBlank) return
    if (isSkipping) onOverflow(head, tail)
    isSkipping = false
    head = ''
    tail = ''
  }

  return (given) => {
    let from = 0
    if (afterReturn && given.startsWith('\n')) {
      if (!isSkipping) parser.feed('\n')
      from = 1
    }
    const text = held + given.slice(from)
    held = ''
    from = 0
    for (const { 0: end, index } of text.matchAll(LINE_END)) {
      take(text.slice(from, index + end.length), true)
      from = index + end.length
    }
    afterReturn = given === '' ? afterReturn : given.endsWith('\r')
    const rest = text.slice(from)
    if (isLineStart && rest.length <= FIELD.length) held = rest
    else take(rest, false)
  }
}
