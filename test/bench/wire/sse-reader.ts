import { createLineReader } from './line-reader.ts'

const DATA = Buffer.from('data:')
const EVENT = 'event:'
const CARRIAGE_RETURN = 0x0d
const SPACE = 0x20

/** The events of a `text/event-stream`. Events without data, such as those that only carry an id, are left out. */
export function createSseReader(onEvent: (data: Buffer, event: string) => void): (chunk: Buffer) => void {
  let data: Buffer | null = null
  let event = 'message'
  return createLineReader((raw) => {
    const line = raw.at(-1) === CARRIAGE_RETURN ? raw.subarray(0, -1) : raw
    if (line.length === 0) {
      if (data !== null && data.length > 0) onEvent(data, event)
      data = null
      event = 'message'
    } else if (line.subarray(0, DATA.length).equals(DATA)) {
      const value = line.subarray(line[DATA.length] === SPACE ? DATA.length + 1 : DATA.length)
      data = data === null ? value : Buffer.concat([data, Buffer.from('\n'), value])
    } else if (line.length < 100 && line.toString('latin1').startsWith(EVENT)) {
      event = line.toString('latin1', EVENT.length).trim()
    }
  })
}
