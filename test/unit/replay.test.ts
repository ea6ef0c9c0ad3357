import { describe, expect, it } from 'vitest'
import { Replay, ReplaySpace, type SentEvent } from '../../hub/gateway/replay.ts'

const MINUTES = 60_000
const event = (stream: number, seq: number, data = 'x', more: Partial<SentEvent> = {}): SentEvent => ({
  stream,
  seq,
  id: `${stream}-${seq}`,
  data,
  answerTo: null,
  question: null,
  at: 0,
  ...more,
})
const answer = (stream: number, seq: number, data: string, id = `"call ${stream}"`): SentEvent =>
  event(stream, seq, data, { answerTo: id })
const dataOf = (text: string | undefined): string => /^data: (.*)$/m.exec(text ?? '')?.[1] ?? ''
const space = (maxReplayBytesPerSession: number, maxReplayBytes = 1e9): ReplaySpace =>
  new ReplaySpace(() => ({ maxReplayBytesPerSession, maxReplayBytes }))
const of = (maxBytes: number, ...events: SentEvent[]): Replay => {
  const replay = new Replay(space(maxBytes), () => undefined)
  for (const one of events) replay.keep(one)
  return replay
}

describe('the events that a client may ask for again', () => {
  it('are those of its stream after the one that it names, as they were sent', () => {
    const replay = of(100, event(1, 1, 'a'), event(2, 1, 'b'), event(1, 2, 'c'))
    expect(replay.after(1, 0)).toEqual({
      events: ['event: message\nid: 1-1\ndata: a\n\n', 'event: message\nid: 1-2\ndata: c\n\n'],
      questions: [],
      complete: true,
    })
    expect(replay.after(1, 2)).toEqual({ events: [], questions: [], complete: true })
  })

  it('have an error in place of an answer that had to go, the oldest first, by bytes and not by characters', () => {
    const replay = of(10, answer(1, 1, 'ääää'), answer(2, 1, 'bbb'))
    const [gone] = replay.after(1, 0).events
    expect(gone).toContain('id: 1-1\n')
    expect(JSON.parse(dataOf(gone))).toMatchObject({ id: 'call 1', error: { code: -31003 } })
    expect(replay.after(2, 0).events.map(dataOf)).toEqual(['bbb'])
  })

  it('lose none to a message that has no room at all', () => {
    const replay = of(10, event(1, 1, 'kept'), answer(2, 1, 'x'.repeat(11)))
    expect(replay.after(1, 0).events).toHaveLength(1)
    expect(JSON.parse(dataOf(replay.after(2, 0).events[0]))).toHaveProperty('error')
  })

  it('come in the order in which they were sent, errors between them', () => {
    const replay = of(10, event(1, 1, 'a'), answer(1, 2, 'x'.repeat(11), '1'), event(1, 3, 'c'))
    expect(replay.after(1, 0).events.map((text) => /id: (.*)/.exec(text)?.[1])).toEqual(['1-1', '1-2', '1-3'])
  })

  it('are said to be incomplete when anything else is gone', () => {
    const replay = of(3, event(1, 1, 'aa'), event(1, 2, 'bb'), event(2, 1, 'c'))
    expect(replay.after(1, 0)).toMatchObject({ complete: false })
    expect(replay.after(1, 1)).toMatchObject({ complete: true })
    expect(replay.after(2, 0)).toMatchObject({ complete: true })
  })

  it('are bounded in number, and so are the errors and the ids of clients in them', () => {
    const replay = of(1e6)
    for (let stream = 1; stream <= 2_000; stream++) replay.keep(answer(stream, 1, 'x'))
    expect(replay.after(2_000, 0).events.map(dataOf)).toEqual(['x'])
    expect(replay.after(1_000, 0).events.map(dataOf)).toEqual([expect.stringContaining('error')])
    expect(replay.after(1, 0)).toMatchObject({ events: [], complete: false })
    const long = of(1, answer(1, 1, 'xx', `"${'i'.repeat(1_000)}"`))
    expect(long.after(1, 0)).toMatchObject({ events: [], complete: false })
  })

  it('give up what is large once nobody comes back for it', () => {
    const replay = of(1e8, answer(1, 1, 'x'.repeat(2e6)), event(2, 1, 'small', { at: MINUTES }))
    replay.shrink(4 * MINUTES)
    expect(dataOf(replay.after(1, 0).events[0])).toHaveLength(2e6)
    replay.shrink(6 * MINUTES)
    expect(JSON.parse(dataOf(replay.after(1, 0).events[0]))).toHaveProperty('error')
    replay.shrink(60 * MINUTES)
    expect(replay.after(2, 0).events.map(dataOf)).toEqual(['small'])
  })

  it('of all sessions together are bounded: the one that kept nothing new for longest gives up first, and no more than it must', () => {
    const shared = space(100, 10)
    const [one, two, three] = [0, 1, 2].map(() => new Replay(shared, () => undefined)) as [Replay, Replay, Replay]
    const kept = (): string[][] => [one, two, three].map((replay) => replay.after(1, 0).events.map(dataOf))
    one.keep(event(1, 1, 'aaaa'))
    two.keep(event(1, 1, 'bb'))
    one.keep(event(1, 2, 'aaaa'))
    three.keep(event(1, 1, 'cc'))
    expect(kept()).toEqual([['aaaa', 'aaaa'], [], ['cc']])
    three.keep(event(1, 2, 'c'))
    expect(kept()).toEqual([['aaaa'], [], ['cc', 'c']])
    three.keep(event(1, 3, 'x'.repeat(10)))
    expect(kept()).toEqual([[], [], ['x'.repeat(10)]])
    three.keep(event(1, 4, 'x'.repeat(11)))
    expect(kept()).toEqual([[], [], []])
  })

  it('of a session that is over leave their room to others, and there are no new ones', () => {
    const shared = space(100, 10)
    const [one, two] = [new Replay(shared, () => undefined), new Replay(shared, () => undefined)]
    one.keep(event(1, 1, 'a'.repeat(9)))
    one.end()
    one.keep(event(1, 2, 'a'.repeat(9)))
    two.keep(event(1, 1, 'b'))
    two.keep(event(1, 2, 'b'.repeat(9)))
    expect([one, two].map((replay) => replay.after(1, 0).events.length)).toEqual([0, 2])
  })
})
