import { expect, it } from 'vitest'
import type { Channel } from '../../hub/upstream/channel.ts'
import { deferChannel } from '../../hub/upstream/deferred-channel.ts'

/** A channel that tells what was asked of it. */
function told(): { channel: Channel; asked: string[] } {
  const asked: string[] = []
  const tell = (what: string): Promise<void> => {
    asked.push(what)
    return Promise.resolve()
  }
  const channel: Channel = {
    pid: null,
    openStreams: 2,
    isShared: false,
    open: () => tell('open'),
    send: (hop, text) => void tell(`send ${hop} ${text}`),
    notify: (text, method) => void tell(`notify ${text} ${method}`),
    answer: (id, text) => void tell(`answer ${String(id)} ${text}`),
    abort: (hop) => {
      void tell(`abort ${hop}`)
      return true
    },
    established: (version, modern) => void tell(`established ${version} ${modern}`),
    resetSession: () => void tell('resetSession'),
    close: (atOnce) => tell(`close ${atOnce}`),
  }
  return { channel, asked }
}

it('loads when it is opened, and passes everything on from then', async () => {
  const { channel, asked } = told()
  let loads = 0
  const deferred = deferChannel(false, () => {
    loads++
    return Promise.resolve(channel)
  })
  expect([loads, deferred.openStreams, deferred.isShared]).toEqual([0, 0, false])
  await deferred.open()
  deferred.resetSession()
  deferred.established('v', true)
  deferred.send(1, 'text', { method: 'm', name: undefined, paramHeaders: undefined })
  deferred.notify('text', 'm')
  deferred.answer('a', 'text')
  expect(deferred.abort(1)).toBe(true)
  await deferred.close(false)
  expect([loads, deferred.openStreams]).toEqual([1, 2])
  expect(asked).toEqual([
    'open',
    'resetSession',
    'established v true',
    'send 1 text',
    'notify text m',
    'answer a text',
    'abort 1',
    'close false',
  ])
})

it('that was closed while it loaded is closed before it opens', async () => {
  const { channel, asked } = told()
  const deferred = deferChannel(false, () => Promise.resolve(channel))
  const opening = deferred.open()
  await deferred.close(false)
  await opening
  expect(asked).toEqual(['close true', 'open'])
})
