import { spawn, type ChildProcess } from 'node:child_process'
import { StringDecoder } from 'node:string_decoder'
import type { Reason } from '../contract/index.ts'
import { Reply, isObject, rpc, type JsonRpcMessage } from '../gateway/json-rpc.ts'
import { UpstreamFailure, type Channel, type ChannelHandlers } from './channel.ts'
import { createLineReader } from './line-reader.ts'
import { endGroup } from './process-group.ts'
import { resolveExecutable } from './runtimes.ts'

export interface StdioCommand {
  command: string
  args: string[]
  env: Record<string, string>
  cwd: string | undefined
}

export interface StdioOptions {
  maxLineBytes: number
  onSpawn: (pid: number) => void
  onExit: (pid: number) => void
}

const KEPT_STDERR_LINES = 12
/** How long a server may take to end after its stdin was closed, and then after SIGTERM. */
const CLOSE_GRACE_MS = 1_500
const TERM_GRACE_MS = 3_000

/**
 * A server process on stdin and stdout (MCP "stdio" transport): spawned without a shell as the leader of its own process
 * group, ended as a whole group.
 */
export function createStdioChannel(command: StdioCommand, handlers: ChannelHandlers, options: StdioOptions): Channel {
  let child: ChildProcess | null = null
  let ended = false
  let outgoing = ''
  let flushing = false
  const lastErrors: string[] = []

  function flush(): void {
    flushing = false
    const text = outgoing
    outgoing = ''
    if (text !== '' && child?.stdin?.writable) child.stdin.write(text)
  }

  // Requests of one turn of the event loop go out in one write: the write is what a call costs most.
  function write(text: string): void {
    outgoing += text + '\n'
    if (flushing) return
    flushing = true
    setImmediate(flush)
  }

  function onLine(line: Buffer): void {
    const reply = Reply.fromBytes(line)
    if (reply !== null) {
      handlers.onReply(reply.hopId as number, reply)
      return
    }
    let parsed: unknown
    try {
      parsed = JSON.parse(line.toString())
    } catch {
      handlers.onLog('hub', 'warn', `Not a JSON-RPC message on stdout: ${line.subarray(0, 300).toString()}`)
      return
    }
    for (const message of Array.isArray(parsed) ? (parsed as unknown[]) : [parsed]) {
      if (!isObject(message)) {
        handlers.onLog('hub', 'warn', 'A JSON value that is no JSON-RPC message on stdout')
      } else if (typeof message['method'] === 'string') {
        handlers.onMessage(message as unknown as JsonRpcMessage, null)
      } else if (typeof message['id'] === 'number') {
        handlers.onReply(message['id'], Reply.of({ jsonrpc: '2.0', id: message['id'], ...message }))
      }
    }
  }

  async function open(): Promise<void> {
    const resolved = await resolveExecutable(command.command, command.env['PATH'] ?? '', command.cwd)
    if (resolved.path === null) throw new UpstreamFailure(resolved.reason, true)
    const path = resolved.path
    await new Promise<void>((resolve, reject) => {
      const started = spawn(path, command.args, {
        env: command.env,
        ...(command.cwd === undefined ? {} : { cwd: command.cwd }),
        stdio: ['pipe', 'pipe', 'pipe'],
        shell: false,
        detached: process.platform !== 'win32',
        windowsHide: true,
      })
      child = started
      started.once('spawn', () => {
        options.onSpawn(started.pid ?? 0)
        resolve()
      })
      started.once('error', (error: NodeJS.ErrnoException) => {
        reject(new UpstreamFailure(spawnReason(error, command), true))
      })
      // A pipe that breaks is told by `exit`; without a listener it would end the hub.
      started.stdin.on('error', () => undefined)
      started.stdout.on(
        'data',
        createLineReader({
          maxBytes: options.maxLineBytes,
          onLine,
          onOverflow: () => {
            handlers.onLog(
              'hub',
              'error',
              `A message longer than ${options.maxLineBytes} bytes on stdout was dropped (limits.maxStdioLineBytes)`,
            )
          },
        }),
      )
      const decoder = new StringDecoder('utf8')
      let partial = ''
      started.stderr.on('data', (chunk: Buffer) => {
        const lines = (partial + decoder.write(chunk)).split('\n')
        partial = (lines.pop() ?? '').slice(0, 10_000)
        for (const line of lines) onStderr(line.replace(/\r$/, ''))
      })
      started.once('close', (code, signal) => {
        if (partial !== '') onStderr(partial)
        options.onExit(started.pid ?? 0)
        // What the server started and left behind goes with it.
        void endGroup(started.pid, 0)
        if (ended) return
        ended = true
        handlers.onClose(exitReason(code, signal, lastErrors))
      })
    })
  }

  function onStderr(line: string): void {
    if (line === '') return
    lastErrors.push(line)
    if (lastErrors.length > KEPT_STDERR_LINES) lastErrors.shift()
    handlers.onLog('stderr', levelOf(line), line)
  }

  async function close(): Promise<void> {
    ended = true
    const running = child
    if (!running?.pid || running.exitCode !== null || running.signalCode !== null) return
    flush()
    running.stdin?.end()
    const exited = new Promise<boolean>((resolve) => running.once('exit', () => resolve(true)))
    const graceful = await Promise.race([
      exited,
      new Promise<boolean>((resolve) => setTimeout(resolve, CLOSE_GRACE_MS, false).unref()),
    ])
    await endGroup(running.pid, graceful ? 0 : TERM_GRACE_MS)
    await exited
  }

  return {
    get pid() {
      return child?.pid ?? null
    },
    open,
    send: (hop, text) => {
      if (ended)
        handlers.onFailure(hop, { code: rpc.serverUnavailable, message: 'The server process has ended' }, true, null)
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

function levelOf(line: string): 'error' | 'warn' | 'info' {
  if (/\b(error|fatal|exception|panic|traceback)\b/i.test(line)) return 'error'
  return /\bwarn(ing)?\b/i.test(line) ? 'warn' : 'info'
}

function exitReason(code: number | null, signal: NodeJS.Signals | null, lines: string[]): Reason {
  const how = signal === null ? `exited with code ${code ?? 'unknown'}` : `was ended by ${signal}`
  return {
    code: 'exited',
    message: `The server process ${how}`,
    cure:
      lines.length > 0
        ? 'Read the last lines that it wrote; they usually name the cause.'
        : 'Run its command in a terminal to see what it says.',
    ...(lines.length > 0 ? { detail: lines.join('\n') } : {}),
  }
}

function spawnReason(error: NodeJS.ErrnoException, command: StdioCommand): Reason {
  const cwdGone = error.code === 'ENOENT' && command.cwd !== undefined
  return {
    code: 'spawn-failed',
    message: `Could not start ${command.command}: ${error.message}`,
    cure: cwdGone
      ? `Check that the working directory ${command.cwd ?? ''} exists.`
      : error.code === 'EACCES'
        ? 'Make the file executable, or name its interpreter as the command.'
        : 'Check the command and its arguments.',
  }
}
