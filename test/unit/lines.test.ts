import { once } from 'node:events'
import { createServer, IncomingMessage, ServerResponse } from 'node:http'
import { Socket, type AddressInfo } from 'node:net'
import type { Response } from 'express'
import express from 'express'
import { afterEach, expect, it, vi } from 'vitest'
import { linesInto } from '../../hub/api/lines.ts'

afterEach(() => vi.useRealTimers())

it('keeps an answer by lines alive while nothing is told, and stops with it', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  let tell: (value: unknown) => void = () => undefined
  let answer: Response | null = null
  const server = createServer(
    express().get('/', (_request, response) => {
      answer = response
      tell = linesInto(response)
      tell({ n: 1 })
    }),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  vi.advanceTimersByTime(40_000)
  tell({ n: 2 })
  ;(answer as unknown as ServerResponse).end()
  expect(await response.text()).toBe('{"n":1}\n\n\n{"n":2}\n')
  await vi.waitFor(() => expect(vi.getTimerCount()).toBe(0))
  server.closeAllConnections()
  server.close()
})

it('beats for no answer whose client left before it began', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
  const response = new ServerResponse(new IncomingMessage(new Socket()))
  response.destroy()
  await once(response, 'close')
  const tell = linesInto(Object.assign(response, { set: () => response }) as unknown as Response)
  tell({ n: 1 })
  vi.advanceTimersByTime(15_000)
  expect(vi.getTimerCount()).toBe(0)
})
