import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import type { Dispatcher } from 'undici'
import { createHttpRequester, type ResponseHandler } from '../../hub/upstream/http-requester.ts'

const ignore = (): void => undefined
const handler: ResponseHandler = {
  onRequestStart: ignore,
  onResponseStart: ignore,
  onResponseData: ignore,
  onResponseEnd: ignore,
  onResponseError: ignore,
  onRefused: ignore,
}

/** A dispatcher whose requests the test begins and ends. */
function fakeNetwork(): { dispatcher: Dispatcher; handlers: Dispatcher.DispatchHandler[] } {
  const handlers: Dispatcher.DispatchHandler[] = []
  const dispatcher = {
    dispatch: (_options: unknown, of: Dispatcher.DispatchHandler) => {
      handlers.push(of)
      return true
    },
  } as unknown as Dispatcher
  return { dispatcher, handlers }
}

function controller(ballast: number): { control: Dispatcher.DispatchController; aborted: () => boolean } {
  let isAborted = false
  const control = { abort: () => (isAborted = true), ballast: new Array<number>(ballast).fill(1.5) }
  return { control: control as unknown as Dispatcher.DispatchController, aborted: () => isAborted }
}

it('aborts what is in flight when it closes, and nothing that has ended', async () => {
  const { dispatcher, handlers } = fakeNetwork()
  const requester = createHttpRequester({
    url: 'http://127.0.0.1/mcp',
    headers: {},
    connect: () => Promise.resolve(dispatcher),
    authorization: null,
  })
  await requester.open()
  const controllers = Array.from({ length: 3 }, () => controller(0))
  for (const { control } of controllers) {
    requester.send({ method: 'POST', headers: {} }, handler)
    handlers.at(-1)?.onRequestStart?.(control, {})
  }
  handlers[1]?.onResponseEnd?.(controllers[1]!.control, {})
  requester.close()
  expect(controllers.map(({ aborted }) => aborted())).toEqual([true, false, true])
})

it('aborts what still waited for its connection when it was closed', async () => {
  const { dispatcher, handlers } = fakeNetwork()
  const requester = createHttpRequester({
    url: 'http://127.0.0.1/mcp',
    headers: {},
    connect: () => Promise.resolve(dispatcher),
    authorization: null,
  })
  await requester.open()
  requester.send({ method: 'POST', headers: {} }, handler)
  requester.close()
  const { control, aborted } = controller(0)
  handlers[0]?.onRequestStart?.(control, {})
  expect(aborted()).toBe(true)
})

it('lets the collector of young objects have every request that has ended', async () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as (options: { type: 'minor' | 'major' }) => void
  const { dispatcher, handlers } = fakeNetwork()
  const requester = createHttpRequester({
    url: 'http://127.0.0.1/mcp',
    headers: {},
    connect: () => Promise.resolve(dispatcher),
    authorization: null,
  })
  await requester.open()
  const inFlight: [Dispatcher.DispatchHandler, Dispatcher.DispatchController][] = []
  const turn = (): void => {
    requester.send({ method: 'POST', headers: {} }, handler)
    const of = handlers.pop()!
    const { control } = controller(1_000)
    of.onRequestStart?.(control, {})
    inFlight.push([of, control])
    if (inFlight.length > 16) {
      const [oldest, its] = inFlight.shift()!
      oldest.onResponseEnd?.(its, {})
    }
  }
  for (let i = 0; i < 1_000; i++) turn()
  collect({ type: 'major' })
  const before = process.memoryUsage().heapUsed
  for (let i = 0; i < 5_000; i++) {
    turn()
    if (i % 50 === 0) collect({ type: 'minor' })
  }
  collect({ type: 'minor' })
  const grown = process.memoryUsage().heapUsed - before
  expect(grown).toBeLessThan(2_000_000)
})
