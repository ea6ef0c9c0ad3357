import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { createEvents } from '../../../../hub/observe/events.ts'
import { createRedactor } from '../../../../hub/observe/redactor.ts'
import { BUILT_HUB_TOKEN, startBuiltHub } from '../../../fixtures/built-hub.ts'
import { fixtureServer } from '../../../fixtures/hub.ts'
import { person, PASSWORD } from '../../../fixtures/people.ts'
import { waitFor } from '../../../fixtures/wire.ts'
import { slack, type Row } from '../row.ts'

const MB = 1_048_576

const slowReader: Row = {
  id: 'R9',
  what: 'a reader of events that stops reading',
  must: 'cut off at about 1 MB; at most 30 MB more memory for 100,000 events',
  run: async ({ short }) => {
    const count = short ? 20_000 : 100_000
    const events = createEvents(createRedactor([]))
    const server = createServer((_request: IncomingMessage, response) =>
      events.stream(response, {
        lastEventId: undefined,
        logsOf: null,
        usage: false,
        narrowed: false,
        sees: () => true,
        may: () => true,
      }),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const reader = async (): Promise<Socket> => {
      const opened = connect(port, '127.0.0.1')
      opened.on('error', () => undefined)
      opened.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
      await waitFor(() => events.readers === 1)
      return opened
    }
    const emit = async (n: number): Promise<void> => {
      events.emit({ type: 'catalog.changed', server: `server-${n}-${'x'.repeat(900)}` })
      if (n % 100 === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    // What one that reads costs is the measure.
    const good = await reader()
    good.resume()
    for (let n = 0; n < 20_000; n++) await emit(n)
    good.destroy()
    await waitFor(() => events.readers === 0)
    const socket = await reader()
    try {
      socket.pause()
      const before = process.memoryUsage.rss()
      let most = before
      let cutAfter: number | null = null
      for (let n = 1; n <= count; n++) {
        await emit(n)
        most = Math.max(most, process.memoryUsage.rss())
        if (cutAfter === null && events.readers === 0) cutAfter = n
      }
      const grown = (most - before) / MB
      return {
        measured: `cut off after ${cutAfter ?? 'none'} events of 1 kB; ${grown.toFixed(1)} MB more for ${count}`,
        // The system's own buffers take some megabytes before the hub's begins to grow.
        pass: cutAfter !== null && cutAfter <= 10_000 && grown <= 30 * slack({ short }),
      }
    } finally {
      socket.destroy()
      events.close()
      server.close()
    }
  },
}

const slowClients: Row = {
  id: 'R18',
  what: 'clients that send their headers drop by drop, idle ones, and headers without end',
  must: 'let go within 15 s; a good request under 200 ms',
  run: async ({ short }) => {
    const drops = short ? 50 : 300
    const idle = short ? 50 : 3_000
    // In a test run nobody waits for the usual ten seconds.
    const system = short ? { limits: { headersTimeoutMs: 1_000 } } : {}
    const hub = await startBuiltHub({ system })
    const { hostname: host, port } = new URL(hub.url)
    let crowd: Worker | null = null
    try {
      // The first one loads the API.
      await (await hub.request('/api/servers')).text()
      crowd = new Worker(new URL('slow-crowd.ts', import.meta.url), {
        workerData: { host, port: Number(port), drops, idle },
      })
      let lastMs = Infinity
      const reaped = once(crowd, 'message').then(([ms]) => (lastMs = ms as number))
      let longestAnswer = 0
      for (const deadline = performance.now() + 30_000; lastMs === Infinity && performance.now() < deadline;) {
        const asked = performance.now()
        await (await hub.request('/api/servers')).text()
        longestAnswer = Math.max(longestAnswer, performance.now() - asked)
        await Promise.race([reaped, new Promise((resolve) => setTimeout(resolve, 50))])
      }
      const last = lastMs / 1_000
      return {
        measured: `${drops} slow ones let go after ${last.toFixed(1)} s; a good request took at most ${Math.round(longestAnswer)} ms beside them and ${idle} idle ones`,
        pass: last <= 15 && longestAnswer < 200 * slack({ short }),
      }
    } finally {
      await crowd?.terminate()
      await hub.end()
    }
  },
}

const eventLoop: Row = {
  id: 'R19',
  what: 'the event loop under calls and 8 sign-ins side by side',
  must: 'p99 under 50 ms, at most 250 ms',
  run: async ({ short }) => {
    // Of one user, more than five tries at once are locked out, right or wrong.
    const names = Array.from({ length: 8 }, (_, n) => `user-${n}`)
    const hub = await startBuiltHub({
      servers: { echo: fixtureServer('echo.ts') },
      // A sign-in that is refused costs nothing.
      system: { rateLimit: { login: false }, ...(short ? { auth: { bcryptRounds: 10 } } : {}) },
      prepare: async (folder) => {
        await writeFile(
          path.join(folder, 'config', 'users.json'),
          JSON.stringify({ users: names.map((name) => person(name)) }),
        )
        return {}
      },
    })
    try {
      await waitFor(
        async () => ((await (await hub.request('/api/servers')).json()) as { state: string }[])[0]?.state === 'running',
        20_000,
      )
      const lag = async (name: string): Promise<number> => {
        const text = await (await hub.request('/api/metrics')).text()
        return 1_000 * Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1])
      }
      // The first one loads what it needs, and each reading begins a new measurement.
      await login(hub.url, 'user-0')
      await call(hub.url)
      await lag('max')
      const until = performance.now() + (short ? 1_500 : 20_000)
      let signIns = 0
      let calls = 0
      const lane = async (work: () => Promise<void>): Promise<void> => {
        while (performance.now() < until) await work()
      }
      await Promise.all([
        ...names.map((name) =>
          lane(async () => {
            await login(hub.url, name)
            signIns++
          }),
        ),
        ...Array.from({ length: 4 }, () =>
          lane(async () => {
            await call(hub.url)
            calls++
          }),
        ),
      ])
      const text = await (await hub.request('/api/metrics')).text()
      const of = (name: string): number =>
        1_000 * Number(new RegExp(`^nodejs_eventloop_lag_${name}_seconds (\\S+)`, 'm').exec(text)?.[1])
      const [p99, max] = [of('p99'), of('max')]
      return {
        measured: `p99 ${p99.toFixed(1)} ms, at most ${max.toFixed(0)} ms, with ${signIns} sign-ins and ${calls} calls`,
        pass: p99 < 50 * slack({ short }) && max < 250 * slack({ short }) && signIns >= 8 && calls > 0,
      }
    } finally {
      await hub.end()
    }
  },
}

async function login(url: string, username: string): Promise<void> {
  const response = await fetch(`${url}/api/auth/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username, password: PASSWORD }),
  })
  await response.arrayBuffer()
  if (!response.ok) throw new Error(`A sign-in was answered with ${response.status}`)
}

async function call(url: string): Promise<void> {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const response = await fetch(`${url}/mcp`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${BUILT_HUB_TOKEN}`,
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo__echo',
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'echo__echo', arguments: { text: 'x' }, _meta },
    }),
  })
  const text = await response.text()
  if (!response.ok || text.includes('"error"')) throw new Error(`A call was answered with ${response.status}: ${text}`)
}

export const loadRows: readonly Row[] = [slowReader, slowClients, eventLoop]
