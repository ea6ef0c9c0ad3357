import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { TOKEN, fixtureServer, startHub, type TestHub } from '../fixtures/hub.ts'
import { startHttpFixture } from '../fixtures/mcp-servers/fixtures.ts'
import { startScriptedPair, type ScriptedPair } from '../fixtures/scripted-pair.ts'
import { LegacyWire, ModernWire, textOf, waitFor, type Message } from '../fixtures/wire.ts'

const TASKS = 'io.modelcontextprotocol/tasks'
const tasksClient = { extensions: { [TASKS]: {} }, elicitation: {} }

let pair: ScriptedPair
let hub: TestHub
beforeAll(async () => {
  pair = await startScriptedPair()
  hub = await startHub({
    alpha: fixtureServer('conformance/main.ts', '--era', 'modern'),
    beta: fixtureServer('conformance/main.ts', '--era', 'modern'),
    old: pair.config.legacy,
  })
  await Promise.all(['alpha', 'beta', 'old'].map((name) => hub.until(name, 'running')))
})
afterAll(async () => {
  await hub.close()
  await pair.close()
})

const wireOf = (path: string, token = TOKEN, capabilities: Record<string, unknown> = tasksClient): ModernWire =>
  new ModernWire(hub.url + path, { headers: { authorization: `Bearer ${token}` }, capabilities })
const somebodyElse = `${TOKEN}-other`

async function begin(wire: ModernWire, name: string, args: object = {}): Promise<string> {
  const { result } = await wire.request('tools/call', { name, arguments: args })
  expect(result).toMatchObject({ resultType: 'task', taskId: expect.any(String) as string })
  return result?.['taskId'] as string
}

describe.each([
  ['/mcp', 'alpha__'],
  ['/mcp', 'beta__'],
  ['/mcp/alpha', ''],
])('a task on %s of a tool %s…', (path, prefix) => {
  it('is followed, answered and brought to its end under the id that its client got', async () => {
    const wire = wireOf(path)
    const taskId = await begin(wire, `${prefix}confirm_delete`, { filename: 'a.txt' })
    expect(taskId.startsWith(prefix)).toBe(true)
    const asking = await wire.request('tasks/get', { taskId })
    expect(asking.result).toMatchObject({ resultType: 'complete', taskId, status: 'input_required' })
    const [key] = Object.keys(asking.result?.['inputRequests'] as object)
    const inputResponses = { [key!]: { action: 'accept', content: { confirm: true } } }
    expect(await wire.request('tasks/update', { taskId, inputResponses })).toMatchObject({ status: 200 })
    await expect
      .poll(async () => (await wire.request('tasks/get', { taskId })).result)
      .toMatchObject({ taskId, status: 'completed', result: { content: [{ text: 'Deleted a.txt: true' }] } })
  })

  it('is cancelled where it runs', async () => {
    const wire = wireOf(path)
    const taskId = await begin(wire, `${prefix}slow_compute`, { seconds: 60 })
    expect((await wire.request('tasks/cancel', { taskId })).error).toBeUndefined()
    expect((await wire.request('tasks/get', { taskId })).result).toMatchObject({ taskId, status: 'cancelled' })
  })

  it('tells of itself whoever listens for it, under that id', async () => {
    const wire = wireOf(path)
    const taskId = await begin(wire, `${prefix}confirm_delete`, { filename: 'b.txt' })
    const other = await begin(wire, `${prefix}confirm_delete`, { filename: 'c.txt' })
    const listening = await wire.listen({ taskIds: [taskId] }, 'mine')
    expect(listening.messages[0]?.params?.['notifications']).toEqual({ taskIds: [taskId] })
    const told = (): Message[] => listening.messages.filter(({ method }) => method === 'notifications/tasks')
    // What became of it before is told too.
    const first = await waitFor(() => told()[0])
    expect(first.params).toMatchObject({
      taskId,
      status: 'input_required',
      _meta: { 'io.modelcontextprotocol/subscriptionId': 'mine' },
    })
    const [key] = Object.keys(first.params?.['inputRequests'] as object)
    for (const id of [other, taskId])
      await wire.request('tasks/update', {
        taskId: id,
        inputResponses: { [key!]: { action: 'accept', content: { confirm: false } } },
      })
    await waitFor(() => told().find(({ params }) => params?.['status'] === 'completed'))
    expect(new Set(told().map(({ params }) => params?.['taskId']))).toEqual(new Set([taskId]))
    listening.close()
  })

  it('is where it was begun, though a client that asks for logs has a process of its own', async () => {
    const wire = wireOf(path)
    const _meta = { 'io.modelcontextprotocol/logLevel': 'error' }
    const params = { name: `${prefix}confirm_delete`, arguments: { filename: 'l.txt' }, _meta }
    const taskId = (await wire.request('tools/call', params)).result?.['taskId'] as string
    const { result } = await wire.request('tasks/get', { taskId })
    const listening = await wire.listen({ taskIds: [taskId] })
    const [key] = Object.keys(result?.['inputRequests'] as object)
    const inputResponses = { [key!]: { action: 'accept', content: { confirm: true } } }
    expect((await wire.request('tasks/update', { taskId, inputResponses })).error).toBeUndefined()
    await waitFor(() => listening.messages.find(({ params: told }) => told?.['status'] === 'completed'))
    const done = { taskId, status: 'completed', result: { content: [{ text: 'Deleted l.txt: true' }] } }
    expect((await wire.request('tasks/get', { taskId })).result).toMatchObject(done)
    listening.close()
  })

  it('is nobody’s but its principal’s', async () => {
    const taskId = await begin(wireOf(path), `${prefix}confirm_delete`, { filename: 'd.txt' })
    const stranger = wireOf(path, somebodyElse)
    for (const method of ['tasks/get', 'tasks/update', 'tasks/cancel'])
      expect((await stranger.request(method, { taskId, inputResponses: {} })).error).toEqual({
        code: -32602,
        message: `Unknown task: ${taskId}`,
      })
    const listening = await stranger.listen({ taskIds: [taskId] })
    expect(listening.messages[0]?.params?.['notifications']).toEqual({ taskIds: [] })
    listening.close()
    expect((await wireOf(path).request('tasks/get', { taskId })).result).toMatchObject({ status: 'input_required' })
  })
})

describe('tasks', () => {
  it('are reached under their own id on the endpoint of their server', async () => {
    const taskId = await begin(wireOf('/mcp'), 'alpha__confirm_delete', { filename: 'e.txt' })
    const own = taskId.slice('alpha__'.length)
    expect((await wireOf('/mcp/alpha').request('tasks/get', { taskId: own })).result).toMatchObject({ taskId: own })
    expect((await wireOf('/mcp/alpha', somebodyElse).request('tasks/get', { taskId: own })).error?.code).toBe(-32602)
  })

  it.each(['nobody__x', 'alpha__x', 'x'])('that do not exist (%s) are unknown', async (taskId) => {
    expect((await wireOf('/mcp').request('tasks/get', { taskId })).error?.code).toBe(-32602)
  })

  it('are not heard of by a client that does not know them', async () => {
    const response = await wireOf('/mcp', TOKEN, {}).post('subscriptions/listen', { notifications: { taskIds: ['x'] } })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({
      error: { code: -32021, data: { requiredCapabilities: { extensions: { [TASKS]: {} } } } },
    })
  })

  it.each(['/mcp', '/mcp/alpha'])('are not shown to clients of the legacy era (%s)', async (path) => {
    const legacy = await LegacyWire.open(hub.url + path, { headers: hub.headers, capabilities: tasksClient })
    const { capabilities } = legacy.hello?.result as { capabilities: { extensions?: object; tasks?: object } }
    expect(Object.keys(capabilities.extensions ?? {})).not.toContain(TASKS)
    expect(capabilities.tasks).toBeUndefined()
    for (const method of ['tasks/get', 'tasks/cancel', 'tasks/result', 'tasks/list'])
      expect((await legacy.request(method, { taskId: 'x' })).error?.code).toBe(-32601)
    const name = path === '/mcp' ? 'alpha__slow_compute' : 'slow_compute'
    expect(textOf(await legacy.request('tools/call', { name, arguments: { seconds: 0, label: 'x' } }))).toBe(
      'Computed x',
    )
  })

  it('are shown to modern clients where a server has them', async () => {
    for (const path of ['/mcp', '/mcp/alpha'])
      expect((await wireOf(path).request('server/discover')).result).toMatchObject({
        capabilities: { extensions: { [TASKS]: {} } },
      })
  })

  it('are not asked of a server of the legacy era', async () => {
    const answer = await wireOf('/mcp/old').request('tasks/get', { taskId: 'x' })
    expect(answer).toMatchObject({ status: 404, error: { code: -32601 } })
    pair.answer(() => ({ result: { content: [] } }))
    await wireOf('/mcp/old').request('tools/call', { name: 'plain' })
    const declared = pair.servers.legacy.requests.flatMap(({ message }) =>
      message?.method === 'initialize' ? [message.params?.['capabilities']] : [],
    )
    expect(JSON.stringify(declared)).not.toContain(TASKS)
  })
})

describe('tasks of 2025-11-25', () => {
  const open = (token = TOKEN, capabilities = {}): Promise<LegacyWire> =>
    LegacyWire.open(`${hub.url}/mcp/old`, { headers: { authorization: `Bearer ${token}` }, capabilities })

  it('belong to the principal that began them, on a connection that all share', async () => {
    let begun = 0
    const task = (taskId: string): object => ({ taskId, status: 'working', ttl: null })
    pair.answer(({ method, params }) => {
      if (method === 'tools/call') return { result: { task: task(`t${++begun}`) } }
      if (method === 'tasks/list') return { result: { tasks: ['t1', 't2'].map(task), vendorField: 1 } }
      return { result: task(String(params?.['taskId'])) }
    })
    const [mine, theirs] = await Promise.all([open(), open(somebodyElse)])
    const beginTask = async (wire: LegacyWire): Promise<unknown> =>
      (await wire.request('tools/call', { name: 'plain', task: { ttl: 1_000 } })).result
    expect(await beginTask(mine)).toEqual({ task: task('t1') })
    expect(await beginTask(theirs)).toEqual({ task: task('t2') })
    expect((await mine.request('tasks/list')).result).toEqual({ tasks: [task('t1')], vendorField: 1 })
    expect((await theirs.request('tasks/list')).result).toEqual({ tasks: [task('t2')], vendorField: 1 })
    expect((await mine.request('tasks/get', { taskId: 't1' })).result).toEqual(task('t1'))
    const [told, untold] = await Promise.all([mine.listen(), theirs.listen()])
    await expect
      .poll(() => {
        pair.tell({ method: 'notifications/tasks/status', params: task('t1') })
        return told.messages.at(-1)
      })
      .toMatchObject({ method: 'notifications/tasks/status', params: task('t1') })
    expect(untold.messages).toEqual([])
    told.close()
    untold.close()
    for (const method of ['tasks/get', 'tasks/result', 'tasks/cancel'])
      for (const taskId of ['t1', 1, ['t1'], null])
        expect((await theirs.request(method, { taskId })).error?.code).toBe(-32602)
  })

  it('are each client’s own where a server gives one id on several connections', async () => {
    pair.answer(({ method }) => {
      const task = { taskId: '1', status: 'working', ttl: null }
      return { result: method === 'tools/call' ? { task } : { content: [] } }
    })
    const wires = await Promise.all([TOKEN, somebodyElse].map((token) => open(token, { elicitation: {} })))
    for (const wire of wires) await wire.request('tools/call', { name: 'plain', task: {} })
    for (const wire of wires)
      expect((await wire.request('tasks/result', { taskId: '1' })).result).toEqual({ content: [] })
  })
})

describe('after a restart of the hub', () => {
  const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` })

  it('tasks that their servers still know are their owner’s, and nobody else’s', async () => {
    const folder = await temporaryFolder()
    const fixture = await startHttpFixture('conformance/main', '--http', '--era', 'modern')
    const servers = { far: { type: 'http', url: fixture.url }, old: pair.config.legacy }
    const start = async (): Promise<TestHub> => {
      const started = await startHub(servers, {}, { folder: folder.path })
      await Promise.all(Object.keys(servers).map((name) => started.until(name, 'running')))
      return started
    }
    const modern = (of: TestHub, path: string, token: string): ModernWire =>
      new ModernWire(of.url + path, { headers: bearer(token), capabilities: tasksClient })
    const legacy = (of: TestHub, token: string): Promise<LegacyWire> =>
      LegacyWire.open(`${of.url}/mcp/old`, { headers: bearer(token) })
    const old = (taskId: string): object => ({ taskId, status: 'working', ttl: null })
    let begun = 0
    pair.answer(({ method, params }) => {
      if (method === 'tools/call') return { result: { task: old(`n${++begun}`) } }
      if (method === 'tasks/list') return { result: { tasks: ['n1', 'n2'].map(old) } }
      return { result: old(String(params?.['taskId'])) }
    })
    const before = await start()
    const taskId = await begin(modern(before, '/mcp', TOKEN), 'far__confirm_delete', { filename: 'f.txt' })
    for (const token of [TOKEN, somebodyElse])
      await (await legacy(before, token)).request('tools/call', { name: 'plain', task: {} })
    await before.close()

    const after = await start()
    try {
      const own = taskId.slice('far__'.length)
      const stranger = modern(after, '/mcp', somebodyElse)
      expect((await stranger.request('tasks/get', { taskId })).error).toEqual({
        code: -32602,
        message: `Unknown task: ${taskId}`,
      })
      const [mine, theirs] = await Promise.all([legacy(after, TOKEN), legacy(after, somebodyElse)])
      expect((await theirs.request('tasks/get', { taskId: 'n1' })).error?.code).toBe(-32602)
      expect((await mine.request('tasks/get', { taskId: 'n1' })).result).toEqual(old('n1'))
      expect((await mine.request('tasks/list')).result).toEqual({ tasks: [old('n1')] })
      const listening = await modern(after, '/mcp', TOKEN).listen({ taskIds: [taskId] })
      expect(listening.messages[0]?.params?.['notifications']).toEqual({ taskIds: [taskId] })
      listening.close()
      const asking = await modern(after, '/mcp/far', TOKEN).request('tasks/get', { taskId: own })
      expect(asking.result).toMatchObject({ taskId: own, status: 'input_required' })
    } finally {
      await after.close()
      await fixture.stop()
      await folder.dispose()
    }
  })
})
