import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import type { Reason, ServerConfig } from '../../hub/contract/index.ts'
import type { Reply } from '../../hub/gateway/json-rpc.ts'
import { UpstreamFailure } from '../../hub/upstream/channel.ts'
import type { Upstream } from '../../hub/upstream/upstream.ts'
import { crashed } from '../fixtures/memory-server.ts'
import { memoryUpstream as setUp } from '../fixtures/memory-upstream.ts'
import { recordedCall } from '../fixtures/scripted-channel.ts'

const refused: Reason = { code: 'connection-refused', message: 'Nothing answers at x', cure: 'Start the server.' }
const errorOf = (reply: Reply): string | undefined => reply.message.error?.message

describe('a crash', () => {
  it('after a healthy time is followed by a restart at once, for which calls wait', async () => {
    const { clock, server, states, upstream, until, call } = setUp()
    upstream.start()
    await until('running')
    server.connections[0]!.crash()
    expect(upstream.status()).toMatchObject({ state: 'backoff', reason: crashed, attempt: 1, restarts: 1 })
    expect(upstream.status().nextTryAt).toBe(clock.now() + 20)
    const reply = await call()
    expect(reply.isError).toBe(false)
    expect(states).toEqual(['starting', 'running', 'backoff', 'starting', 'running'])
  })

  it('again and again ends in failed, and calls fail at once naming the cause and the cure', async () => {
    const { clock, server, upstream, until, call } = setUp({ command: 'memory', hub: { maxStartAttempts: 3 } })
    upstream.start()
    for (let life = 0; life < 3; life++) {
      await until('running')
      server.connections[life]!.crash()
      clock.advance(60_000)
    }
    expect(upstream.status()).toMatchObject({ state: 'failed', attempt: 3, nextTryAt: null })
    expect((await call()).message.error?.data).toMatchObject({ server: 'one', state: 'failed', reason: crashed })
    void upstream.restart()
    await until('running')
    expect(upstream.status().attempt).toBe(0)
  })

  it('soon after another is waited for by calls until the next try, and no longer', async () => {
    const { clock, server, upstream, until, call } = setUp()
    upstream.start()
    await until('running')
    server.connections[0]!.crash()
    clock.advance(20)
    await until('running')
    server.connections[1]!.crash()
    expect(upstream.status()).toMatchObject({ state: 'backoff', attempt: 2 })
    const waits = call()
    await turn()
    clock.advance(500)
    expect((await waits).isError).toBe(false)

    server.connections[2]!.crash()
    server.failure = new UpstreamFailure(refused)
    const fails = call()
    await turn()
    clock.advance(1_000)
    expect(errorOf(await fails)).toContain('Nothing answers at x. Start the server.')
  })

  it.each([-3_600_000, 3_600_000])('is waited for as long as that is, though the clock is set by %i ms', async (by) => {
    const { clock, server, upstream, until, call } = setUp({ command: 'memory', hub: { maxStartAttempts: 20 } })
    upstream.start()
    await until('running')
    server.connections[0]!.crash()
    clock.advance(20)
    await until('running')
    server.connections[1]!.crash()
    clock.set(by)
    const waits = call()
    await turn()
    clock.advance(500)
    expect((await waits).isError).toBe(false)

    server.failure = new UpstreamFailure(crashed)
    server.connections[2]!.crash()
    for (const delay of [1_000, 2_000, 4_000, 8_000]) {
      await until('backoff')
      clock.advance(delay)
    }
    await until('backoff')
    clock.set(by)
    expect((await call()).message.error?.data).toMatchObject({ state: 'backoff', reason: crashed })
  })

  it('whose next try is far off is told to calls at once', async () => {
    const { clock, server, upstream, until, call } = setUp({ command: 'memory', hub: { maxStartAttempts: 20 } })
    server.failure = new UpstreamFailure(crashed)
    upstream.start()
    for (const delay of [250, 500, 1_000, 2_000, 4_000]) {
      await until('backoff')
      clock.advance(delay)
    }
    await until('backoff')
    expect(upstream.status().nextTryAt).toBe(clock.now() + 16_000)
    expect((await call()).message.error?.data).toMatchObject({ state: 'backoff', reason: crashed })
  })

  it('lets no more calls wait for the next try than may wait at all', async () => {
    const hub = { maxConcurrentCalls: 1, maxQueuedCalls: 1 }
    const { clock, server, upstream, until, call } = setUp({ command: 'memory', hub })
    upstream.start()
    await until('running')
    server.connections[0]!.crash()
    clock.advance(20)
    await until('running')
    server.connections[1]!.crash()
    const waiting = [call(), call()]
    expect(errorOf(await call())).toContain('2 calls wait already for server one to start (hub.maxConcurrentCalls')
    clock.advance(500)
    expect((await Promise.all(waiting)).map(({ isError }) => isError)).toEqual([false, false])
  })

  it('is forgotten after a minute of health', async () => {
    const { clock, server, upstream, until } = setUp()
    upstream.start()
    for (let life = 0; life < 20; life++) {
      await until('running')
      clock.advance(60_000)
      expect(upstream.status().attempt).toBe(0)
      server.connections.at(-1)!.crash()
      clock.advance(20)
    }
    await until('running')
    expect(upstream.status().restarts).toBe(20)
  })
})

it('a start that fails is repeated with growing delays', async () => {
  const { clock, server, upstream, until } = setUp()
  server.failure = new UpstreamFailure(crashed)
  upstream.start()
  const delays: number[] = []
  for (let attempt = 1; attempt < 8; attempt++) {
    await until('backoff')
    const wait = (upstream.status().nextTryAt ?? 0) - clock.now()
    delays.push(wait)
    clock.advance(wait)
  }
  expect(delays).toEqual([1_000, 4_000, 16_000, 60_000, 60_000, 60_000, 60_000])
  await until('failed')
})

it('what trying again cannot help fails at once', async () => {
  const { server, upstream, until } = setUp()
  server.failure = new UpstreamFailure({ code: 'command-not-found', message: 'x', cure: 'y' }, true)
  upstream.start()
  await until('failed')
  expect(server.connections).toHaveLength(1)
})

it('two processes of one server never run at once', async () => {
  const { server, upstream, until } = setUp()
  upstream.start()
  await until('running')
  let release: () => void = () => undefined
  server.closing = new Promise((resolve) => (release = resolve))
  void upstream.restart()
  await until('stopping')
  for (let turns = 0; turns < 20; turns++) await turn()
  expect(server.connections).toHaveLength(1)
  release()
  await until('running')
  expect(server.connections.map(({ closed }) => closed)).toEqual([true, false])
})

it('how long it has been starting is the time that passed, whoever sets the clock', async () => {
  const { clock, server, upstream, until } = setUp()
  server.opening = new Promise((resolve) => clock.after(3_000, resolve))
  upstream.start()
  clock.advance(1_000)
  clock.set(3_600_000)
  expect(upstream.startingFor).toBe(1_000)
  clock.advance(2_000)
  await until('running')
  expect(upstream.startingFor).toBeNull()
})

it('a server of the legacy era is probed once, and again after a start that failed or under another entry', async () => {
  const { clock, server, upstream, until } = setUp()
  const begins: (string | undefined)[] = []
  const runs = async (): Promise<void> => {
    await until('running')
    begins.push(server.connections.at(-1)?.sent[0])
  }
  upstream.start()
  await runs()
  server.connections[0]!.crash()
  clock.advance(20)
  await runs()
  server.failure = new UpstreamFailure(crashed)
  server.connections[1]!.crash()
  clock.advance(500)
  await until('backoff')
  server.failure = null
  clock.advance(60_000)
  await runs()
  await upstream.reconfigure({ command: 'other' })
  await runs()
  expect(begins).toEqual(['server/discover', 'initialize', 'server/discover', 'server/discover'])
})

it('a stop while it starts closes what it opened, and its late success changes nothing', async () => {
  const { server, states, upstream, until } = setUp()
  let opened: () => void = () => undefined
  server.opening = new Promise((resolve) => (opened = resolve))
  upstream.start()
  await until('starting')
  for (let turns = 0; server.connections.length === 0 && turns < 20; turns++) await turn()
  const stopped = upstream.stop()
  opened()
  await stopped
  for (let turns = 0; turns < 20; turns++) await turn()
  expect(server.connections[0]!.closed).toBe(true)
  expect(states).toEqual(['starting', 'stopping', 'idle'])
})

describe('a server that starts on demand', () => {
  const onDemand: ServerConfig = { command: 'memory', hub: { start: 'on-demand', idleStopMs: 1_000 } }
  it('is started by a call, stopped when idle, and started again', async () => {
    const { clock, server, upstream, until, call } = setUp(onDemand)
    expect((await call()).isError).toBe(false)
    clock.advance(900)
    expect(upstream.status().state).toBe('running')
    clock.advance(600)
    await until('idle')
    expect(server.connections[0]!.closed).toBe(true)
    expect(upstream.catalog.lists.tools).toHaveLength(1)
    expect((await call()).isError).toBe(false)
    expect(server.connections).toHaveLength(2)
  })

  it('is idle after the time that passed, whoever sets the clock', async () => {
    const { clock, upstream, until, call } = setUp(onDemand)
    await call()
    clock.set(3_600_000)
    clock.advance(900)
    expect(upstream.status().state).toBe('running')
    clock.set(-7_200_000)
    clock.advance(600)
    await until('idle')
  })

  const beginTask = async ({ server, call }: ReturnType<typeof setUp>, ttl: number | null, more = {}) => {
    const task = { taskId: 't', status: 'working', ttl }
    server.results = { 'tools/call': { task }, 'tasks/get': task }
    await call({ params: { name: 'work', task: {} }, ...more })
  }
  const turns = async (): Promise<void> => {
    for (let n = 0; n < 20; n++) await turn()
  }

  it('is not idle while it works on a task, and for its usual time after it, when nobody asks for it', async () => {
    const { clock, server, upstream, until, ...rest } = setUp(onDemand)
    await beginTask({ clock, server, upstream, until, ...rest }, null)
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000)
      await turns()
    }
    expect(upstream.status().state).toBe('running')
    server.results = { 'tasks/get': { taskId: 't', status: 'completed' } }
    clock.advance(500)
    await turns()
    clock.advance(900)
    expect(upstream.status().state).toBe('running')
    clock.advance(600)
    await until('idle')
  })

  it('is idle once the time of its tasks is over, or when it does not know them any more', async () => {
    const { clock, server, upstream, until, ...rest } = setUp(onDemand)
    await beginTask({ clock, server, upstream, until, ...rest }, 5_000)
    for (let second = 0; second < 5; second++) {
      clock.advance(1_000)
      await turns()
      expect(upstream.status().state).toBe('running')
    }
    for (let second = 0; second < 3; second++) {
      clock.advance(1_000)
      await turns()
    }
    expect(upstream.status().state).toBe('idle')
    await beginTask({ clock, server, upstream, until, ...rest }, null)
    delete server.results['tasks/get']
    for (let second = 0; second < 4; second++) {
      clock.advance(1_000)
      await turns()
    }
    expect(upstream.status().state).toBe('idle')
  })

  it('keeps the connection of a single client that has a task on it', async () => {
    const hub = { ...onDemand.hub, instanceIdleMs: 500 }
    const { clock, server, upstream, until, ...rest } = setUp({ command: 'memory', hub })
    await beginTask({ clock, server, upstream, until, ...rest }, null, { capabilities: { elicitation: {} } })
    expect(server.connections).toHaveLength(2)
    for (let second = 0; second < 10; second++) {
      clock.advance(1_000)
      await turns()
    }
    expect(server.connections.map(({ closed }) => closed)).toEqual([false, false])
    server.results['tasks/get'] = { taskId: 't', status: 'cancelled' }
    for (let second = 0; second < 4; second++) {
      clock.advance(1_000)
      await turns()
    }
    expect(upstream.status().state).toBe('idle')
  })
})

describe('a remote server', () => {
  const remote: ServerConfig = { url: 'http://127.0.0.1:9/mcp' }
  it('that the network does not reach is never given up, and tried at once when the machine wakes', async () => {
    const { clock, server, upstream, until } = setUp(remote)
    server.failure = new UpstreamFailure(refused)
    upstream.start()
    for (let attempt = 0; attempt < 20; attempt++) {
      await until('backoff')
      clock.advance(60_000)
    }
    await until('backoff')
    expect((upstream.status().nextTryAt ?? 0) - clock.now()).toBe(60_000)
    server.failure = null
    upstream.wake()
    await until('running')
  })
  it('is given up after the number of attempts that its entry sets', async () => {
    const { server, upstream, until } = setUp({ ...remote, hub: { maxStartAttempts: 1 } })
    server.failure = new UpstreamFailure(refused)
    upstream.start()
    await until('failed')
  })
  it('that is down is tried by a call, but not by each', async () => {
    const { clock, server, upstream, until, call } = setUp(remote)
    server.failure = new UpstreamFailure(refused)
    upstream.start()
    for (let attempt = 0; attempt < 5; attempt++) {
      await until('backoff')
      clock.advance(60_000)
    }
    await until('backoff')
    const before = server.connections.length
    clock.set(3_600_000)
    expect(errorOf(await call())).toContain('Nothing answers at x. Start the server.')
    expect(server.connections).toHaveLength(before)
    clock.advance(2_000)
    server.failure = null
    expect((await call()).isError).toBe(false)
  })
  it('that asks for a sign-in waits for a person, and is not tried meanwhile', async () => {
    const { clock, server, upstream, until, call } = setUp(remote)
    server.failure = new UpstreamFailure({
      code: 'needs-auth',
      message: 'x asks for a sign-in (401)',
      cure: 'Sign in.',
    })
    upstream.start()
    await until('needs-auth')
    clock.advance(10 * 60_000)
    upstream.wake()
    expect(errorOf(await call())).toContain('asks for a sign-in (401). Sign in.')
    expect(server.connections).toHaveLength(1)
    server.failure = null
    upstream.start()
    await until('running')
  })
})

describe('a sign-in that ends in the middle of calls', () => {
  const reason: Reason = { code: 'needs-auth', message: 'x does not renew the sign-in', cure: 'Sign in again.' }
  async function inTheMiddle(config: ServerConfig = { url: 'http://127.0.0.1:9/mcp' }) {
    const stage = setUp(config)
    stage.upstream.start()
    await stage.until('running')
    stage.server.silent.add('tools/call')
    const calls = [stage.call(), stage.call({ owner: 'other', capabilities: { sampling: {} } })]
    while (stage.server.connections.length < 2 || !stage.server.connections[1]!.sent.includes('tools/call'))
      await turn()
    stage.server.connections[0]!.handlers.onSignedOut(reason)
    expect(stage.upstream.status()).toMatchObject({ state: 'needs-auth', reason })
    return { ...stage, calls }
  }

  it('lets them finish, on every connection, and fails only what is new', async () => {
    const { server, call, calls } = await inTheMiddle()
    expect(errorOf(await call())).toContain('x does not renew the sign-in. Sign in again.')
    expect(server.connections.map(({ closed }) => closed)).toEqual([false, false])
    // A second refusal tells nothing new.
    server.connections[1]!.handlers.onSignedOut(reason)
    for (const connection of server.connections) connection.release()
    expect((await Promise.all(calls)).map(({ isError }) => isError)).toEqual([false, false])
    while (server.connections.some(({ closed }) => !closed)) await turn()
  })

  it('does not keep them from finishing after somebody has signed in again', async () => {
    const { server, upstream, until, call, calls } = await inTheMiddle()
    server.silent.clear()
    upstream.start()
    await until('running')
    expect((await call()).isError).toBe(false)
    for (const connection of server.connections) connection.release()
    expect((await Promise.all(calls)).map(({ isError }) => isError)).toEqual([false, false])
  })

  it.each<[string, (upstream: Upstream) => Promise<void>]>([
    ['is stopped', (upstream) => upstream.stop()],
    ['is disabled', (upstream) => upstream.reconfigure({ url: 'http://127.0.0.1:9/mcp', disabled: true })],
    ['gets another entry', (upstream) => upstream.reconfigure({ url: 'http://127.0.0.1:9/other' })],
  ])('does not outlive a server that %s', async (_what, end) => {
    const { server, upstream } = await inTheMiddle()
    await end(upstream)
    expect(server.connections.slice(0, 2).map(({ closed }) => closed)).toEqual([true, true])
  })
})

describe('another entry under the same name', () => {
  it('replaces the process and keeps the history', async () => {
    const { server, upstream, until } = setUp()
    upstream.start()
    await until('running')
    await upstream.reconfigure({ command: 'other' })
    await until('running')
    expect(server.connections.map(({ closed }) => closed)).toEqual([true, false])
    expect(upstream.history().map(({ state }) => state)).toEqual([
      'starting',
      'running',
      'stopping',
      'starting',
      'running',
    ])
  })
  it('that is disabled ends it, and a call does not bring it back', async () => {
    const { upstream, until, call } = setUp()
    upstream.start()
    await until('running')
    await upstream.reconfigure({ command: 'memory', disabled: true })
    expect(upstream.status().state).toBe('disabled')
    expect(errorOf(await call())).toContain('it is disabled')
    await upstream.reconfigure({ command: 'memory' })
    await until('running')
  })
})

it('a call that waits for its turn does not bring back a server that is stopped for good', async () => {
  const { server, upstream, until, call } = setUp({ command: 'memory', hub: { maxConcurrentCalls: 1 } })
  server.silent.add('tools/call')
  upstream.start()
  await until('running')
  const calls = [call(), call(), call()]
  await upstream.stop()
  for (const reply of await Promise.all(calls)) expect(reply.isError).toBe(true)
  expect(server.connections).toHaveLength(1)
})

it('calls that wait for their turn are served by the next process when the first crashes', async () => {
  const { server, upstream, until, call } = setUp({ command: 'memory', hub: { maxConcurrentCalls: 1 } })
  server.silent.add('tools/call')
  upstream.start()
  await until('running')
  const [first, second] = [call(), call()]
  await turn()
  server.silent.clear()
  server.connections[0]!.crash()
  expect(errorOf(await first)).toContain('exited with code 1')
  expect((await second).isError).toBe(false)
})

it('a server of which the hub wants to hear takes as many calls as were set beside that', async () => {
  const { server, upstream, until, call } = setUp({ command: 'memory', hub: { maxConcurrentCalls: 1 } })
  server.results['server/discover'] = {
    resultType: 'complete',
    supportedVersions: ['2026-07-28'],
    capabilities: { tools: { listChanged: true } },
  }
  server.silent.add('subscriptions/listen').add('stays')
  upstream.start()
  await until('running')
  expect(server.connections[0]!.sent).toContain('subscriptions/listen')
  expect((await call()).isError).toBe(false)
  const first = call({ params: { name: 'stays' } })
  const second = call()
  await turn()
  expect(server.connections[0]!.sent.filter((method) => method === 'tools/call')).toHaveLength(2)
  server.connections[0]!.release()
  await first
  expect((await second).isError).toBe(false)
})

describe('a modern server that has asked a legacy client something', () => {
  const wants = {
    resultType: 'input_required',
    requestState: 's',
    inputRequests: { k: { method: 'elicitation/create', params: { message: '?' } } },
  }
  async function asking(hub: ServerConfig['hub'] = {}) {
    const running = setUp({ command: 'memory', hub })
    const { server, upstream, until, call } = running
    server.results['server/discover'] = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} }
    server.results['tools/call'] = wants
    upstream.start()
    await until('running')
    const { promise: asked, resolve: ask } = Promise.withResolvers<(given: unknown) => void>()
    const reply = call({ ask: () => new Promise((resolve) => ask(resolve)) })
    const answer = await asked
    server.results['tools/call'] = { resultType: 'complete', content: [] }
    return { ...running, reply, answer: () => answer({ action: 'accept' }) }
  }

  it('is started for the answer when it was stopped as idle meanwhile', async () => {
    const { clock, server, upstream, until, reply, answer } = await asking({ start: 'on-demand', idleStopMs: 1_000 })
    clock.advance(3_000)
    await until('idle')
    answer()
    expect((await reply).isError).toBe(false)
    expect(upstream.status().state).toBe('running')
    expect(server.connections).toHaveLength(2)
  })

  it('is waited for with the answer when it crashed meanwhile', async () => {
    const { clock, server, reply, answer } = await asking()
    server.connections[0]!.crash()
    answer()
    await turn()
    clock.advance(20)
    expect((await reply).isError).toBe(false)
    expect(server.connections[1]!.sent).toContain('tools/call')
  })
})

it('a server that misses a probe is degraded and still serves', async () => {
  const { clock, server, upstream, until, call } = setUp({
    command: 'memory',
    hub: { healthCheckIntervalMs: 5_000, healthCheckTimeoutMs: 1 },
  })
  upstream.start()
  await until('running')
  server.silent.add('ping')
  clock.advance(5_000)
  while (upstream.status().state !== 'degraded') await new Promise((resolve) => setTimeout(resolve, 20))
  expect(upstream.status().reason?.code).toBe('unresponsive')
  expect((await call()).isError).toBe(false)
  server.silent.clear()
  clock.advance(1_000)
  await until('running')
})

it('timers that have run are not kept as long as a server runs', async () => {
  const { clock, upstream, until } = setUp({
    command: 'memory',
    hub: { instanceIdleMs: 500, healthCheckIntervalMs: 0 },
  })
  let calledOff = 0
  const { after } = clock
  clock.after = (ms, run) => {
    const cancel = after(ms, run)
    return () => {
      calledOff++
      cancel()
    }
  }
  upstream.start()
  await until('running')
  clock.advance(3_600_000)
  const { pending } = clock
  await upstream.stop()
  expect(calledOff).toBeLessThanOrEqual(pending)
})

it('a task that a process numbers is found by who began it, and by nobody else', async () => {
  const { server, upstream, until, call } = setUp()
  upstream.start()
  await until('running')
  server.results['tools/call'] = { task: { taskId: '1', status: 'working', createdAt: '', ttl: null } }
  server.results['tasks/result'] = { content: [] }
  const capabilities = { elicitation: {} }
  for (const principal of ['first', 'second'])
    await call({ principal, owner: principal, capabilities, params: { name: 'work', task: {} } })
  const ask = (principal: string, more: object): Promise<Reply> =>
    call({ principal, owner: principal, method: 'tasks/result', params: { taskId: '1' }, ...more })
  const asked = (): number[] =>
    server.connections.map(({ sent }) => sent.filter((method) => method === 'tasks/result').length)

  await ask('second', { capabilities })
  expect(asked()).toEqual([0, 0, 1])
  await ask('first', { capabilities: {} })
  expect(asked()).toEqual([0, 1, 1])
  expect(errorOf(await ask('third', { capabilities }))).toBe('Unknown task: 1')
  expect(errorOf(await ask('third', { capabilities: {} }))).toBe('Unknown task: 1')
  expect(asked()).toEqual([0, 1, 1])
})

it('a call to a legacy server that is there is passed on as it is, without a copy', async () => {
  const { upstream, until } = setUp()
  upstream.start()
  await until('running')
  const keys = vi.fn(Reflect.ownKeys)
  const call = recordedCall()
  upstream.call(new Proxy<typeof call>(call, { ownKeys: keys }))
  await expect.poll(() => call.replies).toHaveLength(1)
  expect(keys).not.toHaveBeenCalled()
})

it('a call that cannot be written keeps no connection of its client', async () => {
  const hub = { instanceIdleMs: 500 }
  const { clock, server, upstream, until, call } = setUp({ command: 'memory', hub })
  upstream.start()
  await until('running')
  const capabilities = { elicitation: {} }
  const deep: unknown = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000))
  expect((await call({ capabilities, params: { name: 'work', deep } })).isError).toBe(true)
  expect(server.connections).toHaveLength(2)
  for (let second = 0; second < 4; second++) {
    clock.advance(1_000)
    await turn()
  }
  expect(server.connections.map(({ closed }) => closed)).toEqual([false, true])
})
