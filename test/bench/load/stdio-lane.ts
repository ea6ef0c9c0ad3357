import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { deadline } from '../lib/waiting.ts'
import type { Era } from '../programs/answers.ts'
import { createLineReader } from '../wire/line-reader.ts'
import {
  HUNG_MS,
  initializeParams,
  nextId,
  readMessage,
  requestText,
  type Lane,
  type Message,
  type Reply,
} from './lane.ts'

export interface StdioServer {
  pid: number
  openLane: (era: Era) => Lane
  end: () => void
}

interface Open {
  onNote: ((note: Message) => void) | undefined
  resolve: (reply: Reply) => void
}

const ID = /"id":(\d+)/

/** The fixture server driven straight through its pipes, by any number of lanes. */
export async function startStdioServer(args: string[], era: Era): Promise<StdioServer> {
  const child: ChildProcessWithoutNullStreams = spawn(process.execPath, args, { stdio: 'pipe' })
  child.stderr.resume()
  child.stdin.on('error', () => undefined)
  const open = new Map<number, Open>()

  child.stdout.on(
    'data',
    createLineReader((line) => {
      // A lane has one request open, so a notification belongs to the call that asked for it; only one does.
      const id = Number(ID.exec(line.toString('latin1', Math.max(0, line.length - 60)))?.[1] ?? Number.NaN)
      const call = open.get(id)
      if (call !== undefined) {
        const reply = readMessage(line, id)
        open.delete(id)
        if (reply !== null) call.resolve(reply)
      } else {
        const note = JSON.parse(line.toString()) as Message
        for (const { onNote } of open.values()) onNote?.(note)
      }
    }),
  )

  const request = (
    asked: Era,
    method: string,
    params: Record<string, unknown>,
    onNote?: (note: Message) => void,
  ): Promise<Reply> => {
    const id = nextId()
    return new Promise((resolve) => {
      open.set(id, { onNote, resolve })
      // Clients of their own would not share a write either.
      child.stdin.write(`${requestText(asked, id, method, params)}\n`)
    })
  }

  if (era === 'legacy') {
    await deadline(
      HUNG_MS,
      () => 'The fixture server does not answer',
      request('legacy', 'initialize', initializeParams),
    )
  }
  return {
    pid: child.pid ?? 0,
    openLane: (asked) => ({
      request: (method, params, onNote) => request(asked, method, params, onNote),
      toolName: (tool) => tool,
      close: () => undefined,
    }),
    end: () => child.kill('SIGKILL'),
  }
}
