import type { Request, Response } from 'express'

/** Whether the caller asks for an answer that comes line by line. */
export const wantsLines = (request: Request): boolean =>
  request.accepts('json', 'application/x-ndjson') === 'application/x-ndjson'

/** An answer of which each line is sent as it is there, past proxies that would hold it back. */
export function linesInto(response: Response): (value: unknown) => void {
  response.set({ 'content-type': 'application/x-ndjson', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  response.flushHeaders()
  return (value) => {
    // What is told after the end, for instance of a question that the end withdrew, is of interest to nobody.
    if (!response.destroyed && !response.writableEnded) response.write(`${JSON.stringify(value)}\n`)
  }
}
