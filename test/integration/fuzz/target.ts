import { Agent, request } from 'node:http'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fixtureServer } from '../../fixtures/hub.ts'
import { startHttpFixture } from '../../fixtures/mcp-servers/fixtures.ts'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { startHubProcess, type HubProcess } from '../chaos/hub-process.ts'
import { eventually, residentBytes } from '../chaos/processes.ts'
import { isFull } from './scale.ts'
import { SESSION, type Input } from './requests.ts'

/** Nothing may keep a client waiting longer. Beside all the other tests the machine itself lets it wait. */
export const MAX_WAIT_MS = isFull ? 3_000 : 10_000
/** Over so long a time the latest delays of both event loops are looked at. */
const LAG_MS = 5_000
/** While it works it leaves garbage; what it holds shows once it has collected all of it, which it does once a minute at most. */
const AT_REST_MS = 75_000
/** What the hub may need more than before, after it has met every input. */
const MAX_GROWTH_BYTES = 200 * 1_048_576

export interface Answer {
  status: number
  type: string
  session: string
  body: string
  /** A stream that stays open by right: what came first is all there is to read. */
  isOpen: boolean
}

export interface Target {
  token: string
  hub: HubProcess
  /** Rejects when the hub does not answer in time, or not in HTTP. */
  send: (input: Input, session?: string) => Promise<Answer>
  /** A request of somebody who does everything right is answered as ever. */
  expectHealthy: () => Promise<void>
  /** Rejects when the hub has grown beyond measure since it started, once it is at rest. */
  expectBounded: () => Promise<void>
  close: () => Promise<void>
}

/** The built hub in its own process, before servers of both eras. */
export async function startTarget(): Promise<Target> {
  const folder = await temporaryFolder('mcp-hub-fuzz-')
  // Over HTTP, because there a client with capabilities of its own costs a session and not a process.
  const legacy = await startHttpFixture('canary', '--http', '--era', 'legacy', '--replies', 'json')
  const hub = await startHubProcess(
    folder.path,
    {
      echo: { type: 'http', url: legacy.url },
      modern: fixtureServer('modern-echo.ts'),
    },
    // Nobody comes back to answer what was asked.
    { limits: { parkedCallTtlMs: 2_000 } },
  )
  await hub.until('running')
  const { hostname, port } = new URL(hub.url)
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const before = residentBytes(hub.pid)
  const lags = await watchLags(hub)

  function send(input: Input, session = 'none'): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const body = Buffer.from(input.body, 'latin1')
      let isLate = false
      const isChunked = input.headers.some(([name]) => name === 'transfer-encoding')
      const length: [string, string][] = isChunked || body.length === 0 ? [] : [['content-length', String(body.length)]]
      const headers = [...input.headers, ...length].map(([name, value]) => [name, value.replaceAll(SESSION, session)])
      const sent = request(
        {
          agent,
          hostname,
          port,
          method: input.method,
          path: input.path.replaceAll(SESSION, session),
          headers: headers as never,
        },
        (response) => {
          const type = response.headers['content-type'] ?? ''
          const answer: Answer = {
            status: response.statusCode ?? 0,
            type,
            session: String(response.headers['mcp-session-id'] ?? ''),
            body: '',
            isOpen: type.startsWith('text/event-stream') && input.method !== 'POST',
          }
          const done = (): void => {
            if (isLate) return
            clearTimeout(timer)
            resolve(answer)
            if (answer.isOpen) response.destroy()
          }
          response.setEncoding('latin1')
          // A download takes as long as it is long; what it may not do is stand still.
          const isDownload = /^(?:application\/x-ndjson|text\/csv)/.test(type)
          response.on('data', (text: string) => {
            answer.body += text
            if (isDownload) timer.refresh()
            if (answer.isOpen || !type.startsWith('text/event-stream') || !staysOpen(answer.body)) return
            answer.isOpen = true
            done()
          })
          response.on('end', done)
          if (answer.isOpen) done()
          response.on('error', (error) => {
            if (!answer.isOpen) reject(error)
          })
        },
      )
      const timer = setTimeout(() => {
        isLate = true
        void lags.now().then((late) => {
          reject(new Error(`no answer within ${MAX_WAIT_MS} ms; ${late}`))
          sent.destroy()
        })
      }, MAX_WAIT_MS)
      sent.on('error', (error) => {
        if (isLate) return
        clearTimeout(timer)
        // What is no HTTP is told so in a body, also where the method, which nobody could read, forbids one.
        if (input.method === 'HEAD' && error.message.includes('Data after `Connection: close`'))
          resolve({ status: 400, type: '', session: '', body: '', isOpen: false })
        else reject(error)
      })
      sent.end(body)
    })
  }

  return {
    token: hub.headers['authorization']!,
    hub,
    send,
    expectHealthy: async () => {
      const message = {
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'fine' } },
      }
      const envelope = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      }
      for (const server of ['echo', 'modern']) {
        const answer = await send({
          method: 'POST',
          path: `/mcp/${server}`,
          headers: Object.entries({
            host: 'localhost',
            ...hub.headers,
            'content-type': 'application/json',
            'mcp-protocol-version': '2026-07-28',
            'mcp-method': 'tools/call',
            'mcp-name': 'echo',
          }),
          body: JSON.stringify({ ...message, params: { ...message.params, _meta: envelope } }),
        })
        if (answer.status !== 200 || !answer.body.includes('"fine"'))
          throw new Error(`A good call to ${server} got ${answer.status} ${answer.body}`)
      }
    },
    expectBounded: async () => {
      let grown = 0
      const isBounded = (): true | null => {
        grown = residentBytes(hub.pid) - before
        return grown > MAX_GROWTH_BYTES ? null : true
      }
      await eventually('it is at rest', AT_REST_MS, isBounded).catch(() => {
        throw new Error(`The hub grew by ${Math.round(grown / 1_048_576)} MiB`)
      })
    },
    close: async () => {
      lags.close()
      agent.destroy()
      await hub.quit()
      await legacy.stop()
      await folder.dispose()
    },
  }
}

/** Whose a wait is: how late the event loops of the hub and of this process were lately. */
async function watchLags(hub: HubProcess): Promise<{ now: () => Promise<string>; close: () => void }> {
  const own = monitorEventLoopDelay()
  own.enable()
  // The hub tells the most since it was asked last.
  const ofHub = async (): Promise<string> => {
    const signal = AbortSignal.timeout(MAX_WAIT_MS)
    const response = await fetch(`${hub.url}/api/metrics`, { headers: hub.headers, signal })
    const text = await response.text()
    return /^nodejs_eventloop_lag_max_seconds (\S+)/m.exec(text)?.[1] ?? '?'
  }
  await ofHub()
  const timer = setInterval(() => {
    own.reset()
    ofHub().catch(() => undefined)
  }, LAG_MS).unref()
  return {
    now: async () => {
      const ownSeconds = own.max / 1e9
      const hubSeconds = await ofHub().catch(String)
      return `lately the event loop of the hub was late by ${hubSeconds} s at most, that of this test by ${ownSeconds.toFixed(3)} s`
    },
    close: () => {
      clearInterval(timer)
      own.disable()
    },
  }
}

/** Subscriptions have no end, and a server's question waits for its client. */
function staysOpen(body: string): boolean {
  return /subscriptions\/acknowledged|"method":"(?:elicitation\/create|sampling\/createMessage|roots\/list)"/.test(body)
}

/** What is wrong with an answer, whatever was asked; null when nothing is. */
export function faultOf(input: Input, answer: Answer): string | null {
  const { status, type, body } = answer
  if (status >= 500) return `${status} ${body}`
  if (body === '' || input.method === 'HEAD') return null
  if (type.startsWith('application/problem+json')) {
    const problem = parse(body) as { code?: string; status?: number } | undefined
    return problem?.code !== undefined && problem.status === status ? null : `a problem that says ${body}`
  }
  if (!/^\/(?:mcp|sse|messages)/.test(input.path)) return null
  if (type.startsWith('text/event-stream')) {
    const data = body.split('\n').filter((line) => line.startsWith('data: {'))
    // What was left in the middle may end in the middle of a line.
    if (answer.isOpen) data.pop()
    const wrong = data.find((line) => !isRpc(parse(line.slice('data: '.length))))
    return wrong === undefined ? null : `an event that is no JSON-RPC: ${wrong}`
  }
  if (!type.startsWith('application/json')) return body === 'Accepted' ? null : `${type}: ${body}`
  const parsed = parse(body)
  if (!isRpc(parsed)) return `no JSON-RPC: ${body}`
  return hasForeignId(input, parsed) ? `an answer to another request: ${body}` : null
}

function parse(text: string): unknown {
  try {
    return JSON.parse(Buffer.from(text, 'latin1').toString())
  } catch {
    return undefined
  }
}

function isRpc(value: unknown): value is { id?: unknown; error?: unknown } {
  return typeof value === 'object' && value !== null && 'jsonrpc' in value && value.jsonrpc === '2.0'
}

/** The answer carries the id of the request, or none when the request could not be read so far. */
function hasForeignId(input: Input, answer: { id?: unknown; error?: unknown }): boolean {
  if (answer.id === null) return answer.error === undefined
  const body = parse(input.body.replace(/^\xef\xbb\xbf/, ''))
  // The only answer to a batch comes without an array around it.
  const asked: unknown = Array.isArray(body) ? body.find((one: unknown) => isRpc(one) && one.id === answer.id) : body
  return typeof asked !== 'object' || asked === null || !('id' in asked) || asked.id !== answer.id
}
