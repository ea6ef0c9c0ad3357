import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import type { LogLine } from '../../contract/index.ts'

/** A stack trace stands below the line that says what happened. */
const KEPT_LINES = 40
const MAX_LINE = 10_000
/** So much is looked at in each second; a server that writes more waits for the rest of it. */
const BYTES_A_SECOND = 2 * 1_048_576
const LINES_A_SECOND = 500

/** Reads the lines that a server writes on stderr, at a pace at which a flood hurts only the one who makes it. */
export function readStderr(
  stream: Readable,
  onLine: (level: LogLine['level'], text: string) => void,
): { lastLines: () => string[] } {
  const decoder = new StringDecoder('utf8')
  const last: string[] = []
  let partial = ''
  let bytes = 0
  let lines = 0
  let dropped = 0
  let second: NodeJS.Timeout | null = null

  function onSecond(): void {
    second = null
    if (dropped > 0)
      onLine('warn', `${dropped} lines were left out: the server writes more than ${LINES_A_SECOND} a second`)
    bytes = lines = dropped = 0
    if (stream.isPaused()) stream.resume()
  }

  function take(line: string): void {
    const text = line.slice(0, MAX_LINE).replace(/\r$/, '')
    if (text === '') return
    last.push(text)
    if (last.length > KEPT_LINES) last.shift()
    if (++lines > LINES_A_SECOND) dropped++
    else onLine(levelOf(text), text)
  }

  stream.on('data', (chunk: Buffer) => {
    second ??= setTimeout(onSecond, 1_000).unref()
    bytes += chunk.length
    if (bytes > BYTES_A_SECOND) stream.pause()
    const whole = (partial + decoder.write(chunk)).split('\n')
    partial = (whole.pop() ?? '').slice(0, MAX_LINE)
    for (const line of whole) take(line)
  })
  stream.once('end', () => take(partial))
  return { lastLines: () => [...last] }
}

/** Behind signs and a time. One class takes all of them: the time that a long line takes grows with its length, not beyond. */
const SAID = /^[\W\dTZ]*\b(trace|debug|info|notice|warn(?:ing)?|err(?:or)?|fatal|critical)\b/i

/** What a line says of itself, or what its words suggest. */
export function levelOf(line: string): LogLine['level'] {
  const said = SAID.exec(line)?.[1]
  if (said !== undefined) {
    const level = said.toLowerCase()
    if (level === 'trace' || level === 'debug') return 'debug'
    if (level === 'info' || level === 'notice') return 'info'
    return level.startsWith('warn') ? 'warn' : 'error'
  }
  if (/\b\w*(error|exception)\b|\b(fatal|panic|traceback)\b/i.test(line)) return 'error'
  return /\b\w*warn(ing)?\b/i.test(line) ? 'warn' : 'info'
}
