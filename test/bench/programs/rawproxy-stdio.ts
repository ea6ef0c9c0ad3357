import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import type { ServerResponse } from 'node:http'
import { createLineReader } from '../wire/line-reader.ts'
import type { Forwarder, Message } from './rawproxy.ts'
import type { UpstreamConfig } from './upstream-config.ts'

const HEAD = Buffer.from('{"jsonrpc":"2.0","id":')
const TAIL = '"jsonrpc":"2.0","id":'
/** Bodies up to this size leave as a string, in one write with the head. */
const JOINED_BYTES = 16_384
const INITIALIZE = {
  jsonrpc: '2.0',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'rawproxy', version: '1' } },
}

interface Waiting {
  id: string
  response: ServerResponse | null
  resolve: ((line: Buffer) => void) | null
}

/** Requests get a small integer id on their way; the id of the answer, at its head or its tail, is spliced. */
export function createStdioForwarder(config: Extract<UpstreamConfig, { kind: 'stdio' }>): Forwarder {
  const waiting = new Map<number, Waiting>()
  let hops = 0
  let outgoing = ''
  let child = start()

  function start(): ChildProcessWithoutNullStreams {
    const started = spawn(config.command, config.args, { stdio: ['pipe', 'pipe', 'pipe'] })
    started.stdout.on('data', createLineReader(onLine))
    started.stderr.resume()
    started.stdin.on('error', () => undefined)
    started.on('exit', () => {
      for (const { response } of waiting.values()) response?.writeHead(502, { 'content-length': 0 }).end()
      waiting.clear()
      child = start()
      void open()
    })
    return started
  }

  function flush(): void {
    const text = outgoing
    outgoing = ''
    child.stdin.write(text)
  }

  /** Requests of one turn of the event loop leave in one write. */
  function write(message: object): void {
    if (outgoing === '') setImmediate(flush)
    outgoing += `${JSON.stringify(message)}\n`
  }

  function ask(message: object): Promise<Buffer> {
    const hop = ++hops
    return new Promise((resolve) => {
      waiting.set(hop, { id: '', response: null, resolve })
      write({ ...message, id: hop })
    })
  }

  function onLine(line: Buffer): void {
    let start = HEAD.length
    let end: number
    if (line.subarray(0, HEAD.length).equals(HEAD)) {
      end = endOfDigits(line, start)
    } else {
      // A number right before the last brace cannot be inside a string, so the test is exact.
      end = line.length - 1
      start = startOfDigits(line, end)
      if (line.toString('latin1', start - TAIL.length, start) !== TAIL) return
    }
    const hop = Number(line.toString('latin1', start, end))
    const call = waiting.get(hop)
    if (call === undefined) return
    waiting.delete(hop)
    call.resolve?.(line)
    if (call.response !== null) answer(call.response, line, start, end, call.id)
  }

  async function open(): Promise<void> {
    if (config.era === 'modern') return
    await ask(INITIALIZE)
    write({ jsonrpc: '2.0', method: 'notifications/initialized' })
  }

  return {
    ready: open(),
    forward: (message: Message, _body, _headers, response) => {
      const hop = ++hops
      waiting.set(hop, { id: JSON.stringify(message.id), response, resolve: null })
      message.id = hop
      write(message)
    },
    tools: async () => {
      const line = await ask({ jsonrpc: '2.0', method: 'tools/list' })
      return (JSON.parse(line.toString()) as { result: { tools: { name: string }[] } }).result.tools
    },
  }
}

function answer(response: ServerResponse, line: Buffer, start: number, end: number, id: string): void {
  const length = line.length - (end - start) + id.length
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': length })
  if (length <= JOINED_BYTES) {
    response.end(line.toString('latin1', 0, start) + id + line.toString('latin1', end), 'latin1')
    return
  }
  response.cork()
  response.write(line.subarray(0, start))
  response.write(id)
  response.end(line.subarray(end))
  response.uncork()
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function endOfDigits(line: Buffer, from: number): number {
  let at = from
  while (isDigit(line[at])) at++
  return at
}

function startOfDigits(line: Buffer, end: number): number {
  let at = end
  while (at > 0 && isDigit(line[at - 1])) at--
  return at
}
