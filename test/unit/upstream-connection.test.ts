import { afterEach, describe, expect, it, vi } from 'vitest'
import { McpError, rpc } from '../../hub/gateway/json-rpc.ts'
import { driveInputRounds } from '../../hub/upstream/input-rounds.ts'
import { legacyHello, modernHello, notFound, recordedCall, scripted } from '../fixtures/scripted-channel.ts'

type Script = ReturnType<typeof scripted>

async function legacy(options: Parameters<typeof scripted>[1] = {}): Promise<Script> {
  const script = scripted(({ method }) => (method === 'initialize' ? legacyHello : undefined), {
    era: 'legacy',
    ...options,
  })
  await script.connection.start()
  return script
}

async function modern(): Promise<Script> {
  const script = scripted(({ method }) => (method === 'server/discover' ? modernHello : undefined))
  await script.connection.start()
  return script
}

const hopOf = ({ last }: Script): number => last().sent.at(-1)?.id ?? 0
const envelope = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'c', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
  'io.modelcontextprotocol/logLevel': 'info',
}

describe('towards a legacy server', () => {
  it('no key of the modern envelope leaks, and everything else stays', async () => {
    const script = await legacy()
    const traced = { traceparent: '00-1-2-01', tracestate: 'a=b', baggage: 'x=y', 'com.example/own': { deep: [1] } }
    script.connection.call(
      recordedCall({
        clientEra: 'modern',
        params: { name: 't', arguments: {}, future: 1, _meta: { ...envelope, ...traced, progressToken: 'mine' } },
        progressToken: 'mine',
      }),
    )
    expect(script.last().sent.at(-1)?.params).toEqual({
      name: 't',
      arguments: {},
      future: 1,
      _meta: { ...traced, progressToken: hopOf(script) },
    })
  })

  it('answers to input requests are never sent, and a state that it cannot have given is refused', async () => {
    const script = await legacy()
    const params = { name: 't', inputResponses: { k: {} }, _meta: envelope }
    script.connection.call(recordedCall({ clientEra: 'modern', params }))
    expect(script.last().sent.at(-1)?.params).toEqual({ name: 't' })
    const before = script.last().sent.length
    for (const requestState of ['', 'something']) {
      const call = recordedCall({ clientEra: 'modern', params: { ...params, requestState } })
      script.connection.call(call)
      expect(call.replies[0]?.message.error?.code).toBe(-32602)
    }
    expect(script.last().sent).toHaveLength(before)
  })
})

describe('progress', () => {
  it('comes under the client’s own token, and only to the call that wanted it', async () => {
    const script = await legacy()
    const [wanted, other] = [recordedCall({ progressToken: 'mine' }), recordedCall()]
    script.connection.call(wanted)
    const hop = hopOf(script)
    script.connection.call(other)
    for (const progressToken of [hop, hop + 1, 'mine', 999])
      script.last().say({ method: 'notifications/progress', params: { progressToken, progress: 1, extra: true } })
    expect(wanted.notified).toEqual([
      { method: 'notifications/progress', params: { progressToken: 'mine', progress: 1, extra: true } },
    ])
    expect(other.notified).toEqual([])
  })
})

describe('after a cancellation', () => {
  it('the server is told by the id that it knows, and nothing further reaches the client', async () => {
    const script = await legacy()
    const call = recordedCall({ progressToken: 1 })
    const cancel = script.connection.call(call)
    const hop = hopOf(script)
    cancel('enough')
    expect(script.last().notified.at(-1)).toMatchObject({
      method: 'notifications/cancelled',
      params: { requestId: hop, reason: 'enough' },
    })
    script.last().say({ method: 'notifications/progress', params: { progressToken: hop, progress: 1 } })
    script.last().say({ method: 'notifications/message', params: { level: 'error', data: 'late' } }, hop)
    script.last().reply(hop, { result: {} })
    expect(call.notified).toEqual([])
    expect(call.replies).toEqual([])
    expect(script.connection.inFlight).toBe(0)
  })

  it('a question is withdrawn and has no answer', async () => {
    const script = await legacy()
    const call = recordedCall()
    const cancel = script.connection.call(call)
    script.last().say({ id: 'q1', method: 'elicitation/create', params: {} })
    cancel('enough')
    expect(call.asked[0]?.signal.aborted).toBe(true)
    expect(script.last().answered).toEqual([])
  })
})

describe('a call that takes long', () => {
  afterEach(() => void vi.useRealTimers())

  it('is waited for from one word of progress to the next, but not for ever', async () => {
    vi.useFakeTimers()
    const script = await legacy({ callTimeoutMs: 2_000, totalTimeoutMs: 4_000 })
    const [silent, busy] = [recordedCall(), recordedCall({ progressToken: 1 })]
    script.connection.call(silent)
    script.connection.call(busy)
    const hop = hopOf(script)
    for (let progress = 1; progress <= 2; progress++) {
      vi.advanceTimersByTime(1_500)
      script.last().say({ method: 'notifications/progress', params: { progressToken: hop, progress } })
    }
    expect(silent.replies[0]?.message.error).toMatchObject({ code: -31002 })
    expect(busy.replies).toEqual([])
    vi.advanceTimersByTime(900)
    script.last().say({ method: 'notifications/progress', params: { progressToken: hop, progress: 3 } })
    expect(busy.replies).toEqual([])
    vi.advanceTimersByTime(1_100)
    expect(busy.replies[0]?.message.error).toMatchObject({ code: -31002 })
    const cancelled = script.last().notified.filter(({ method }) => method === 'notifications/cancelled')
    expect(cancelled.map(({ params }) => params?.['requestId'])).toEqual([hop - 1, hop])
  })

  it('is waited for while its client is asked', async () => {
    vi.useFakeTimers()
    const script = await legacy({ callTimeoutMs: 2_000, totalTimeoutMs: 4_000 })
    const call = recordedCall()
    script.connection.call(call)
    script.last().say({ id: 'q', method: 'elicitation/create', params: {} })
    vi.advanceTimersByTime(60_000)
    expect(call.asked).toHaveLength(1)
    expect(call.replies).toEqual([])
  })

  it('is given up without a word to the server where it is the greeting, which may not be cancelled', async () => {
    vi.useFakeTimers()
    const { connection, last } = scripted(() => undefined, { era: 'legacy', startTimeoutMs: 2_000 })
    const failed = expect(connection.start()).rejects.toThrow('did not answer within 2 s')
    await vi.advanceTimersByTimeAsync(5_000)
    await failed
    expect(connection.inFlight).toBe(0)
    expect(last().sent.map(({ method }) => method)).toEqual(['initialize'])
    expect(last().notified).toEqual([])
  })
})

describe('a question on a shared pipe', () => {
  it('goes to the newest call that does not wait already: several at once reach their calls', async () => {
    const script = await legacy()
    const asked: { name: string; answer: (result: unknown) => void }[] = []
    const call = (name: string): void => {
      const ask = (): Promise<unknown> => new Promise((answer) => asked.push({ name, answer }))
      script.connection.call(recordedCall({ params: { name }, ask }))
    }
    const say = (id: number): void => script.last().say({ id, method: 'elicitation/create', params: {} })
    call('first')
    say(1)
    call('second')
    say(2)
    call('third')
    call('fourth')
    say(3)
    say(4)
    expect(asked.map(({ name }) => name)).toEqual(['first', 'second', 'fourth', 'third'])
    for (const { name, answer } of asked.toReversed()) answer({ for: name })
    await expect.poll(() => script.last().answered).toHaveLength(4)
    expect(script.last().answered.map(({ id, result }) => [id, result])).toEqual([
      [4, { for: 'third' }],
      [3, { for: 'fourth' }],
      [2, { for: 'second' }],
      [1, { for: 'first' }],
    ])
  })

  it('is put to nobody when it could be for another client', async () => {
    const script = await legacy()
    const calls = [recordedCall({ owner: 'a' }), recordedCall({ owner: 'b' })]
    for (const call of calls) script.connection.call(call)
    script.last().say({ id: 1, method: 'sampling/createMessage', params: {} })
    expect(script.last().answered[0]).toMatchObject({ id: 1, error: { code: -31005 } })
    expect(calls.flatMap(({ asked }) => asked)).toEqual([])
  })

  it('whose answer is nested too deep to be written is answered with that', async () => {
    const script = await legacy()
    const deep: unknown = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000))
    script.connection.call(recordedCall({ ask: () => Promise.resolve({ deep }) }))
    script.last().say({ id: 5, method: 'elicitation/create', params: {} })
    await expect.poll(() => script.last().answered).toMatchObject([{ id: 5, error: { code: -32603 } }])
  })

  it('for roots is answered with none when there is no call', async () => {
    const script = await legacy()
    script.last().say({ id: 'r', method: 'roots/list' })
    expect(script.last().answered).toEqual([{ jsonrpc: '2.0', id: 'r', result: { roots: [] } }])
  })

  it('that the server takes back is taken back from the client', async () => {
    const script = await legacy()
    const call = recordedCall()
    script.connection.call(call)
    script.last().say({ id: 5, method: 'elicitation/create', params: {} })
    script.last().say({ method: 'notifications/cancelled', params: { requestId: 5 } })
    expect(call.asked[0]?.signal.aborted).toBe(true)
  })

  it('carries the client’s progress back to the server', async () => {
    const script = await legacy()
    const call = recordedCall()
    script.connection.call(call)
    const params = { _meta: { progressToken: 'servers' } }
    script.last().say({ id: 5, method: 'sampling/createMessage', params })
    call.asked[0]?.onProgress({ progressToken: 'servers', progress: 0.5 })
    expect(script.last().notified.at(-1)).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/progress',
      params: { progressToken: 'servers', progress: 0.5 },
    })
  })
})

describe('a log message on a shared pipe', () => {
  const message = { method: 'notifications/message', params: { level: 'info', data: 'x' } }

  it('goes to the newest call that wants it, when all are of one client', async () => {
    const script = await legacy()
    const calls = [
      recordedCall({ logLevel: 'debug' }),
      recordedCall({ logLevel: 'debug' }),
      recordedCall({ logLevel: 'error' }),
      recordedCall(),
    ]
    for (const call of calls) script.connection.call(call)
    script.last().say(message)
    expect(calls.map(({ notified }) => notified.length)).toEqual([0, 1, 0, 0])
  })

  it.each([{ principal: 'other' }, { owner: 'other' }, { clientInfo: { name: 'other' } }])(
    'goes to nobody while calls of several clients run: %j',
    async (other) => {
      const unowned: string[] = []
      const script = await legacy({ onNotification: (method) => unowned.push(method) })
      const calls = [{}, other].map((of) => recordedCall({ ...of, logLevel: 'debug' }))
      for (const call of calls) script.connection.call(call)
      script.last().say(message)
      expect(calls.flatMap(({ notified }) => notified)).toEqual([])
      expect(unowned).toEqual(['notifications/message'])
    },
  )
})

it('a server that asks without end is answered with an error, and its call goes on', async () => {
  const script = await legacy()
  const call = recordedCall()
  script.connection.call(call)
  for (let id = 1; id <= 102; id++) script.last().say({ id, method: 'elicitation/create', params: { message: '?' } })
  expect(call.asked).toHaveLength(100)
  expect(script.last().answered.map(({ id, error }) => [id, error?.code])).toEqual([
    [101, rpc.limitExceeded],
    [102, rpc.limitExceeded],
  ])
  script.last().reply(hopOf(script), { result: {} })
  expect(call.replies).toHaveLength(1)
})

it('a question under an id that waits already is refused, and the first can still be taken back', async () => {
  const script = await legacy()
  const call = recordedCall()
  script.connection.call(call)
  for (let n = 0; n < 3; n++) script.last().say({ id: 'q', method: 'elicitation/create', params: { message: '?' } })
  expect(call.asked).toHaveLength(1)
  expect(script.last().answered.map(({ id, error }) => [id, error?.code])).toEqual(
    Array(2).fill(['q', rpc.invalidRequest]),
  )
  script.last().say({ method: 'notifications/cancelled', params: { requestId: 'q' } })
  expect(call.asked[0]?.signal.aborted).toBe(true)
})

describe('a call of a legacy client to a modern server', () => {
  const inputRequired = (more: object): { result: unknown } => ({
    result: {
      resultType: 'input_required',
      inputRequests: { k: { method: 'elicitation/create', params: { message: '?' } } },
      ...more,
    },
  })

  it.each([
    ['absent', {}, {}],
    ['empty', { requestState: '' }, { requestState: '' }],
    ['there', { requestState: 's' }, { requestState: 's' }],
  ])('is repeated with the state as it was: %s', async (_what, given, expected) => {
    const script = await modern()
    const call = recordedCall({ ask: () => Promise.resolve({ action: 'accept' }) })
    driveInputRounds(call, { begin: script.connection.call, isModern: () => true })
    script.last().reply(hopOf(script), inputRequired(given))
    await expect.poll(() => script.last().sent.filter(({ method }) => method === 'tools/call')).toHaveLength(2)
    const { _meta: _, ...params } = script.last().sent.at(-1)?.params ?? {}
    expect(params).toEqual({ name: 't', inputResponses: { k: { action: 'accept' } }, ...expected })
    script.last().reply(hopOf(script), { result: { resultType: 'complete', content: [] } })
    expect(call.replies).toHaveLength(1)
  })

  it('withdraws what else a round asked when one of its questions fails', async () => {
    const script = await modern()
    const open: AbortSignal[] = []
    const call = recordedCall({
      ask: ({ method, signal }) => {
        if (method === 'sampling/createMessage') return Promise.reject(new McpError(-32_000, 'The user said no'))
        open.push(signal)
        return new Promise(() => undefined)
      },
    })
    driveInputRounds(call, { begin: script.connection.call, isModern: () => true })
    const inputRequests = {
      form: { method: 'elicitation/create', params: { message: '?' } },
      model: { method: 'sampling/createMessage', params: {} },
    }
    script.last().reply(hopOf(script), { result: { resultType: 'input_required', inputRequests } })
    await expect.poll(() => call.replies).toHaveLength(1)
    expect(call.replies[0]?.message.error?.message).toBe('The user said no')
    expect(open.map(({ aborted }) => aborted)).toEqual([true])
  })

  it('sends only the answers of the last round, and ends after ten', async () => {
    const script = await modern()
    let round = 0
    const call = recordedCall({ ask: () => Promise.resolve({ round: ++round }) })
    driveInputRounds(call, { begin: script.connection.call, isModern: () => true })
    for (let n = 1; n <= 11; n++) {
      await expect.poll(() => script.last().sent.filter(({ method }) => method === 'tools/call')).toHaveLength(n)
      if (n > 1) expect(script.last().sent.at(-1)?.params?.['inputResponses']).toEqual({ k: { round: n - 1 } })
      script.last().reply(hopOf(script), inputRequired({ requestState: `s${n}` }))
    }
    await expect.poll(() => call.replies).toHaveLength(1)
    expect(call.replies[0]?.message.error?.message).toContain('more than 10 times')
  })
})

describe('an answer that is too large', () => {
  it('fails its own call and names the setting', async () => {
    const script = await legacy({ maxResponseBytes: 1_000 })
    const [big, small] = [recordedCall(), recordedCall()]
    script.connection.call(big)
    const hop = hopOf(script)
    script.connection.call(small)
    script.last().handlers.onOversize(hop, 'limits.maxStdioLineBytes', 5)
    expect(big.replies[0]?.message.error?.message).toContain('limits.maxStdioLineBytes')
    expect(small.replies).toEqual([])
    // With one call left it can only be that one's.
    script.last().handlers.onOversize(null, 'limits.maxStdioLineBytes', 5)
    expect(small.replies[0]?.isError).toBe(true)
  })
})

describe('a session that the server forgot', () => {
  it('ends what was asked in it: the new one may ask under the same id', async () => {
    const answers: ((result: unknown) => void)[] = []
    const signals: AbortSignal[] = []
    const script = await legacy({
      isShared: false,
      profile: JSON.stringify({ roots: {} }),
      onQuestion: ({ signal }) => {
        signals.push(signal)
        return new Promise((resolve) => answers.push(resolve))
      },
    })
    script.last().say({ id: 0, method: 'roots/list' })
    script.connection.call(recordedCall())
    const hop = hopOf(script)
    script.last().handlers.onSessionLost(hop)
    await expect.poll(() => script.last().sent.at(-1)?.id).toBe(hop)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])

    script.last().say({ id: 0, method: 'roots/list' })
    expect(answers).toHaveLength(2)
    answers[0]?.({ roots: ['late'] })
    await new Promise((resolve) => setImmediate(resolve))
    script.last().say({ id: 0, method: 'roots/list' })
    expect(script.last().answered).toMatchObject([{ id: 0, error: { code: -32600 } }])
    answers[1]?.({ roots: [] })
    await expect.poll(() => script.last().answered).toHaveLength(2)
    expect(script.last().answered[1]).toEqual({ jsonrpc: '2.0', id: 0, result: { roots: [] } })
  })

  it('is renewed once for all calls, and each is asked again once', async () => {
    const script = await legacy({ isShared: false })
    const calls = [recordedCall(), recordedCall(), recordedCall()]
    for (const call of calls) script.connection.call(call)
    const hops = script
      .last()
      .sent.slice(-3)
      .map(({ id }) => id)
    for (const hop of hops) script.last().handlers.onSessionLost(hop)
    const during = recordedCall()
    script.connection.call(during)
    expect(script.connection.hello.era).toBe('legacy')
    await expect.poll(() => script.last().sent.filter(({ method }) => method === 'tools/call')).toHaveLength(7)
    expect(script.last().sent.filter(({ method }) => method === 'initialize')).toHaveLength(2)
    expect(
      script
        .last()
        .sent.slice(-4)
        .map(({ id }) => id),
    ).toEqual([...hops, hops[2]! + 2])
  })

  it('and that it forgets at once again fails the call: it is not asked for ever', async () => {
    const script = await legacy({ isShared: false })
    const call = recordedCall()
    script.connection.call(call)
    const hop = hopOf(script)
    script.last().handlers.onSessionLost(hop)
    await expect.poll(() => script.last().sent.at(-1)?.id).toBe(hop)
    script.last().handlers.onSessionLost(hop)
    expect(call.replies[0]?.message.error?.message).toContain('does not know the session')
    expect(script.last().sent.filter(({ method }) => method === 'initialize')).toHaveLength(2)
  })

  it('and that cannot be renewed fails the calls with the reason', async () => {
    const script = await legacy({ isShared: false })
    script.last().respond = ({ method }) => (method === 'initialize' ? notFound : undefined)
    const call = recordedCall()
    script.connection.call(call)
    script.last().handlers.onSessionLost(hopOf(script))
    await expect.poll(() => call.replies).toHaveLength(1)
    expect(call.replies[0]?.message.error?.message).toContain('a new one failed: Method not found')
  })
})

it('a request of the hub’s own says who asks, whatever else it says of itself', async () => {
  const script = await modern()
  const capabilities = 'io.modelcontextprotocol/clientCapabilities'
  for (const params of [undefined, { _meta: { [capabilities]: { elicitation: {} } } }])
    script.connection.request('tools/list', params).catch(() => undefined)
  expect(
    script
      .last()
      .sent.slice(-2)
      .map(({ params }) => params?.['_meta']),
  ).toMatchObject([
    { 'io.modelcontextprotocol/clientInfo': { name: 'hub', version: '0' }, [capabilities]: {} },
    { 'io.modelcontextprotocol/clientInfo': { name: 'hub', version: '0' }, [capabilities]: { elicitation: {} } },
  ])
})

it('a request of the hub’s own tells of the server’s error as it came', async () => {
  const script = await legacy()
  script.last().respond = () => ({ error: { code: 7, message: 'no', data: [1] } })
  await expect(script.connection.request('tools/list')).rejects.toEqual(new McpError(7, 'no', [1]))
})
