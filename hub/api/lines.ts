import type { Request, Response } from 'express'

/** Whether the caller asks for an answer that comes line by line. */
export const wantsLines = (request: Request): boolean =>
  request.accepts('json', 'application/x-ndjson') === 'application/x-ndjson'

/** Programs on the way, and the app's own fetch, take an answer for dead in which nothing came for some minutes. */
const HEARTBEAT_MS = 15_000

/**
 * An answer of which each line is sent as it is there, past proxies that would hold it back. While nothing is told, empty
 * lines keep it from being cut off: whoever asked may have to think, and a step may take its time.
 */
export function linesInto(response: Response): (value: unknown) => void {
  response.set({ 'content-type': 'application/x-ndjson', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  response.flushHeaders()
  const write = (line: string): void => {
    // What is told after the end, for instance of a question that the end withdrew, is of interest to nobody.
    if (!response.destroyed && !response.writableEnded) response.write(line)
  }
  const heartbeat = setInterval(() => {
    // Whoever left before this began is told of by no event any more.
    if (response.destroyed || response.writableEnded) clearInterval(heartbeat)
    else response.write('\n')
  }, HEARTBEAT_MS).unref()
  response.once('close', () => clearInterval(heartbeat))
  return (value) => write(`${JSON.stringify(value)}\n`)
}
