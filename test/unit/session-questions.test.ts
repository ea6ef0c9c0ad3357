import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { Outlet } from '../../hub/gateway/outlet.ts'
import { ReplaySpace } from '../../hub/gateway/replay.ts'
import { Session } from '../../hub/gateway/session.ts'
import type { View } from '../../hub/gateway/view.ts'

const view = { path: '/mcp', upstreams: [], listNow: () => null } as unknown as View
const LOST = /limits\.maxReplayBytesPerSession/

/** A client with the stream of a call on which its server asks, and so many bytes of what it has not got kept for it. */
function client(maxReplayBytesPerSession = 300): {
  ask: () => { answer: Promise<unknown>; id: string }
  /** More than is kept comes after it on the stream. */
  pushOut: () => void
  goAway: () => void
  comeBack: (seq: number) => void
  answer: (id: string) => void
} {
  const space = new ReplaySpace(() => ({ maxReplayBytesPerSession, maxReplayBytes: 1e9 }))
  const session = new Session(null, { id: 'person', scopes: [] }, view, { maxBufferedBytes: 1e9 }, space)
  const respond = (): ServerResponse => new ServerResponse(new IncomingMessage(new Socket()))
  let response = respond()
  const outlet = new Outlet(response, true, session.outlets)
  outlet.openStream()
  let asked = 0
  return {
    ask: () => {
      const { signal } = new AbortController()
      const answer = session.ask(outlet, {
        method: 'elicitation/create',
        params: {},
        signal,
        onProgress: () => undefined,
      })
      answer.catch(() => undefined)
      return { answer, id: `hub-${++asked}` }
    },
    pushOut: () => {
      for (let n = 0; n < 2; n++) outlet.send(JSON.stringify({ method: 'x'.repeat(200) }))
    },
    goAway: () => void response.destroy(),
    comeBack: (seq) => {
      response = respond()
      expect(session.resume(`1-${seq}`, response)).toBe('resumed')
    },
    answer: (id) => session.answered({ jsonrpc: '2.0', id, result: { action: 'accept' } }),
  }
}

describe('a question that is not kept any more', () => {
  it.each([300, 1])('fails at once for a client that was away when it was asked (%i bytes are kept)', async (bytes) => {
    const { goAway, ask, pushOut } = client(bytes)
    goAway()
    const { answer } = ask()
    pushOut()
    await expect(answer).rejects.toThrow(LOST)
  })

  it('waits for the answer of a client that was there', async () => {
    const { ask, goAway, pushOut, answer } = client()
    const question = ask()
    goAway()
    pushOut()
    answer(question.id)
    await expect(question.answer).resolves.toEqual({ action: 'accept' })
  })

  it('fails once a client that seemed to be there turns out not to have got it', async () => {
    const { ask, goAway, pushOut, comeBack, answer } = client()
    const [gone, got] = [ask(), ask()]
    pushOut()
    goAway()
    comeBack(1)
    // The first event was the first question: of that one it knows.
    await expect(got.answer).rejects.toThrow(LOST)
    answer(gone.id)
    await expect(gone.answer).resolves.toEqual({ action: 'accept' })
  })

  it('waits for a client that got it when it came back', async () => {
    const { goAway, ask, comeBack, pushOut, answer } = client()
    goAway()
    const question = ask()
    comeBack(0)
    pushOut()
    answer(question.id)
    await expect(question.answer).resolves.toEqual({ action: 'accept' })
  })
})
