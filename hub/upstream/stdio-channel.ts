import { isUtf8 } from 'node:buffer'
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'
import { parseExactly } from '../contract/exact-json.ts'
import type { Reason } from '../contract/index.ts'
import { Reply, isObject, rpc, type JsonRpcMessage } from '../gateway/json-rpc.ts'
import { say, told } from '../say.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import { createLineReader } from './line-reader.ts'
import type * as MessageEnds from './message-ends.ts'
import { exitReason, spawnReason } from './process/exit-reason.ts'
import { prepareCommand, type StdioCommand } from './process/prepare-command.ts'
import { readStderr } from './process/stderr-reader.ts'

export interface StdioOptions {
  command: () => Promise<StdioCommand>
  maxLineBytes: number
  /** Begins the supervision of a process, under the mark that its environment carries. */
  onSpawn: (pid: number, mark: string) => void
  onExit: (pid: number) => void
  /** A variable for the environment by which every descendant is found again. */
  mark: { variable: string; value: string }
  /** Ends a process with all that it started. */
  end: (pid: number, mark: string, graceMs: number) => Promise<void>
}

/** How long a server may take to end after its stdin was closed, and then after SIGTERM. */
const CLOSE_GRACE_MS = 1_500
const TERM_GRACE_MS = 3_000
/** What a process wrote before it ended may still be in the pipe. */
const DRAIN_MS = 200
/** A server that does not read its stdin is not given more. */
const MAX_UNREAD_BYTES = 64 * 1_048_576
/** Lines on stdout that are no message: so many at once, then stdout is read in steps. */
const MAX_GARBAGE = 100
const GARBAGE_PAUSE_MS = 250
const SHOWN_GARBAGE = 300
/** How answers begin: with their envelope, or with what they bring. */
const ENVELOPE_FIRST = [Buffer.from('{"jsonrpc":"2.0","id":')]
const BEGINNINGS = [...ENVELOPE_FIRST, ...['{"result":', '{"error":'].map((text) => Buffer.from(text))]
/** To look for the short beginnings in a longer line takes as long as all else that is done with it. */
const SEARCHED_BYTES = 65_536

type Child = ChildProcessByStdio<Writable, Readable, Readable>

/**
 * A server process on stdin and stdout (MCP "stdio" transport): spawned without a shell as the leader of its own process
 * group, ended as a whole group.
 */
export function createStdioChannel(handlers: ChannelHandlers, options: StdioOptions): Channel {
  let child: Child | null = null
  let closing = false
  let ended: Promise<void> | null = null
  let outgoing = ''
  let flushing = false
  let garbage = 0

  function flush(): void {
    flushing = false
    const text = outgoing
    outgoing = ''
    if (text !== '' && child?.stdin.writable === true) child.stdin.write(text)
  }

  // Requests of one turn of the event loop go out in one write: the write is what a call costs most. That also one that comes
  // alone waits for the end of its turn costs it 15 µs; to send it at once costs calls side by side a tenth of theirs.
  function write(text: string): void {
    outgoing += text + '\n'
    if (flushing) return
    flushing = true
    setImmediate(flush)
  }

  function onLine(line: Buffer, begunAt?: number): void {
    // Half of another answer before this one is between the ends that are looked at, and would be passed on with it.
    const sought = line.length > SEARCHED_BYTES ? ENVELOPE_FIRST : BEGINNINGS
    const isOne = sought.every((beginning) => line.indexOf(beginning, 1) === -1)
    const reply = isOne ? Reply.fromBytes(line) : null
    if (reply !== null) {
      handlers.onReply(reply.hopId as number, reply, begunAt)
      return
    }
    let parsed: unknown
    try {
      parsed = isLikeJson(line) ? parseExactly(line.toString()) : undefined
    } catch {
      parsed = undefined
    }
    if (parsed === undefined) {
      onGarbage(`Not a JSON-RPC message on stdout: ${line.subarray(0, SHOWN_GARBAGE).toString()}`)
      withEnds(({ tellGarbled }) => tellGarbled(line, BEGINNINGS, handlers, begunAt))
      return
    }
    if (!isUtf8(line)) handlers.onLog('hub', 'warn', 'Bytes that are no UTF-8 on stdout; U+FFFD stands for them')
    for (const message of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]) {
      if (!isObject(message)) onGarbage('A JSON value that is no JSON-RPC message on stdout')
      else if (typeof message['method'] === 'string') handlers.onMessage(message as unknown as JsonRpcMessage, null)
      else {
        const id = typeof message['id'] === 'number' ? message['id'] : null
        const reply = id === null ? null : Reply.fromMessage(message, id)
        if (id !== null && reply !== null) handlers.onReply(id, reply, begunAt)
        else onGarbage(`A message that answers nothing on stdout: ${line.subarray(0, SHOWN_GARBAGE).toString()}`)
      }
    }
  }

  /** A flood of it costs the server its own pace, and nobody else's. */
  function onGarbage(text: string): void {
    if (garbage < MAX_GARBAGE) handlers.onLog('hub', 'warn', text)
    if (++garbage === 1) setTimeout(endOfGarbage, GARBAGE_PAUSE_MS).unref()
    else if (garbage === MAX_GARBAGE) child?.stdout.pause()
  }

  function endOfGarbage(): void {
    if (garbage > MAX_GARBAGE) handlers.onLog('hub', 'warn', `${garbage - MAX_GARBAGE} more such lines`)
    garbage = 0
    child?.stdout.resume()
  }

  function onOverflow(head: Buffer, tail: Buffer): void {
    const limit = { setting: 'limits.maxStdioLineBytes', bytes: options.maxLineBytes }
    const ends = { head: head.toString(), tail: tail.toString() }
    withEnds(({ tellOversize }) => tellOversize(ends, limit, handlers, write))
  }

  /** Loaded with the first line that is out of order; where that fails, its call waits for its time to run out. */
  function withEnds(use: (loaded: typeof MessageEnds) => void): void {
    import('./message-ends.ts')
      .then(use)
      .catch((error: unknown) => handlers.onLog('hub', 'warn', `A line could not be looked at: ${String(error)}`))
  }

  async function open(): Promise<void> {
    const command = await options.command()
    const { variable, value } = options.mark
    const prepared = await prepareCommand(command)
    if ('reason' in prepared) throw new UpstreamFailure(prepared.reason, true)
    if (closing) throw new UpstreamFailure(stoppedReason)
    await new Promise<void>((resolve, reject) => {
      const fail = (error: unknown): void =>
        reject(new UpstreamFailure(spawnReason(error as NodeJS.ErrnoException, command), true))
      let started: Child
      try {
        started = spawn(prepared.file, prepared.args, {
          env: { ...command.env, [variable]: value },
          ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
          stdio: ['pipe', 'pipe', 'pipe'],
          shell: false,
          detached: process.platform !== 'win32',
          windowsHide: true,
          windowsVerbatimArguments: prepared.verbatim,
        })
      } catch (error) {
        fail(error)
        return
      }
      started.once('error', fail)
      if (started.pid === undefined) return
      child = started
      options.onSpawn(started.pid, value)
      listen(started, started.pid)
      started.once('spawn', resolve)
    })
  }

  function listen(started: Child, pid: number): void {
    // A pipe that breaks is told by `exit`; without a listener it would end the hub.
    started.stdin.on('error', () => undefined)
    started.stdout.on(
      'data',
      createLineReader({ maxBytes: options.maxLineBytes, onLine, onOverflow, accepts: isLikeJson }),
    )
    const errors = readStderr(started.stderr, (level, text) => handlers.onLog('stderr', level, text))
    // A descendant can hold the pipes open for ever: it is the process itself that counts, and the pipes get a moment.
    started.once('exit', (code, signal) => {
      ended = (async () => {
        await Promise.race([
          new Promise((resolve) => started.once('close', resolve)),
          new Promise((resolve) => setTimeout(resolve, DRAIN_MS)),
        ])
        const reason = await exitReason(code, signal, errors.lastLines())
        if (!closing) handlers.onClose(reason)
        closing = true
        // What the server started and left behind goes with it.
        await options.end(pid, options.mark.value, 0)
        for (const stream of [started.stdin, started.stdout, started.stderr]) stream.destroy()
        options.onExit(pid)
      })()
    })
  }

  async function close(atOnce: boolean): Promise<void> {
    closing = true
    const running = child
    if (running?.pid === undefined) return
    if (ended === null) {
      flush()
      const exited = new Promise<true>((resolve) => running.once('exit', () => resolve(true)))
      running.stdin.end()
      const graceful =
        !atOnce &&
        (await Promise.race([
          exited,
          new Promise<false>((resolve) => setTimeout(resolve, CLOSE_GRACE_MS, false).unref()),
        ]))
      if (!graceful) await options.end(running.pid, options.mark.value, atOnce ? 0 : TERM_GRACE_MS)
      await exited
    }
    await ended
  }

  return {
    get pid() {
      return child?.pid ?? null
    },
    openStreams: 0,
    isShared: true,
    open,
    send: (hop, text) => {
      if (closing)
        handlers.onFailure(hop, { code: rpc.serverUnavailable, message: 'The server process has ended' }, true, null)
      else if ((child?.stdin.writableLength ?? 0) > MAX_UNREAD_BYTES)
        handlers.onFailure(
          hop,
          { code: rpc.serverUnavailable, message: 'The server does not read what it is sent' },
          true,
          null,
        )
      else write(text)
    },
    notify: (text) => write(text),
    answer: (_id, text) => write(text),
    abort: () => false,
    established: () => undefined,
    resetSession: () => undefined,
    close,
  }
}

/** Objects and arrays are all that a message can be. */
function isLikeJson(line: Buffer): boolean {
  return /^\s*(?:[[{]|$)/.test(line.toString('latin1', 0, 64))
}

const stoppedReason: Reason = told({
  code: 'exited',
  message: say`The server was stopped while it started`,
  cure: say`Start it again.`,
})
