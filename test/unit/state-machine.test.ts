import { readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { serverStates, type Reason, type ServerState } from '../../hub/contract/index.ts'
import {
  backoffDelay,
  initialMachine,
  transition,
  type Machine,
  type ServerEvent,
} from '../../hub/upstream/state-machine.ts'

const reason = (code: Reason['code'] = 'exited'): Reason => ({ code, message: 'why', cure: 'what to do' })
const around = { now: 1_000, random: 0.5, maxAttempts: 3 }
const at = (state: ServerState, more: Partial<Machine> = {}): Machine => ({
  ...initialMachine(true, 0),
  state,
  ...more,
})

/** Every event in each of the forms that lead to different states. */
const events: Record<string, ServerEvent> = {
  enable: { type: 'enable' },
  disable: { type: 'disable' },
  start: { type: 'start' },
  restart: { type: 'restart' },
  stop: { type: 'stop' },
  started: { type: 'started' },
  'start-failed': { type: 'start-failed', reason: reason(), permanent: false },
  'start-failed for good': { type: 'start-failed', reason: reason('command-not-found'), permanent: true },
  'start-failed with 401': { type: 'start-failed', reason: reason('needs-auth'), permanent: false },
  lost: { type: 'lost', reason: reason() },
  'lost with 401': { type: 'lost', reason: reason('needs-auth') },
  impaired: { type: 'impaired', reason: reason('unresponsive') },
  recovered: { type: 'recovered' },
  healthy: { type: 'healthy' },
  'delay-over': { type: 'delay-over' },
  stopped: { type: 'stopped' },
}

/** Where each event leads from each state; what is not listed changes nothing. */
const expected: Record<ServerState, Record<string, ServerState>> = {
  disabled: { enable: 'idle' },
  idle: { start: 'starting', restart: 'starting', disable: 'disabled' },
  starting: {
    started: 'running',
    'start-failed': 'backoff',
    'start-failed for good': 'failed',
    'start-failed with 401': 'needs-auth',
    stop: 'stopping',
    restart: 'stopping',
    disable: 'stopping',
  },
  running: {
    impaired: 'degraded',
    lost: 'backoff',
    'lost with 401': 'needs-auth',
    stop: 'stopping',
    restart: 'stopping',
    disable: 'stopping',
  },
  degraded: {
    recovered: 'running',
    lost: 'backoff',
    'lost with 401': 'needs-auth',
    stop: 'stopping',
    restart: 'stopping',
    disable: 'stopping',
  },
  'needs-auth': { start: 'starting', restart: 'starting', stop: 'idle', disable: 'disabled' },
  backoff: { 'delay-over': 'starting', start: 'starting', restart: 'starting', stop: 'idle', disable: 'disabled' },
  failed: { start: 'starting', restart: 'starting', stop: 'idle', disable: 'disabled' },
  stopping: { stopped: 'idle' },
}

describe.each(serverStates)('from %s', (state) => {
  it.each(Object.keys(events))('on %s', (name) => {
    const after = transition(at(state), events[name]!, around)
    expect(after.state).toBe(expected[state][name] ?? state)
    if (after.state !== state) expect(after.since).toBe(around.now)
  })
})

it('the picture in docs/server-states.md shows these transitions and no other', () => {
  const text = readFileSync(path.join(import.meta.dirname, '..', '..', 'docs', 'server-states.md'), 'utf8')
  const drawn = [...text.matchAll(/^ {2}(\w+) --> (\w+): (.+)$/gm)].flatMap(([, from = '', to = '', labels = '']) =>
    labels.split(', ').map((label) => `${from} --${label}--> ${to}`.replaceAll('needs_auth', 'needs-auth')),
  )
  const real = new Set<string>()
  const variants: Partial<Machine>[] = [{ attempt: 0 }, { attempt: 2 }, { then: 'disabled' }, { then: 'starting' }]
  for (const state of serverStates) {
    for (const event of Object.values(events)) {
      for (const variant of variants) {
        const after = transition(at(state, variant), event, around)
        if (after.state !== state) real.add(`${state} --${event.type}--> ${after.state}`)
      }
    }
  }
  expect(drawn.toSorted()).toEqual([...real].toSorted())
  expect(text.match(/\[\*\] --> \w+/g)).toEqual(['[*] --> disabled', '[*] --> idle'])
})

describe('failures', () => {
  it('lead to failed after the allowed number in a row, whether starts or losses', () => {
    let machine = transition(at('starting'), events['start-failed']!, around)
    expect(machine).toMatchObject({ state: 'backoff', attempt: 1 })
    machine = transition(transition(machine, { type: 'delay-over' }, around), events['started']!, around)
    machine = transition(machine, events['lost']!, around)
    expect(machine).toMatchObject({ state: 'backoff', attempt: 2, restarts: 1 })
    machine = transition(transition(machine, { type: 'delay-over' }, around), events['start-failed']!, around)
    expect(machine).toMatchObject({ state: 'failed', attempt: 3, nextTryAt: null, reason: reason() })
  })

  it('never lead to failed without a limit', () => {
    const machine = transition(at('starting', { attempt: 99 }), events['start-failed']!, {
      ...around,
      maxAttempts: Infinity,
    })
    expect(machine).toMatchObject({ state: 'backoff', nextTryAt: 61_000 })
  })

  it.each<[string, ServerEvent, ServerState]>([
    ['a healthy minute', { type: 'healthy' }, 'running'],
    ['a restart by a person', { type: 'restart' }, 'failed'],
    ['a stop', { type: 'stop' }, 'backoff'],
  ])('are forgotten after %s', (_what, event, state) => {
    expect(transition(at(state, { attempt: 2 }), event, around).attempt).toBe(0)
  })

  it('are not forgotten by a start that a call asked for', () => {
    expect(transition(at('backoff', { attempt: 2 }), { type: 'start' }, around).attempt).toBe(2)
  })
})

describe('delays', () => {
  it('double from a quarter of a second to a minute', () => {
    expect([1, 2, 3, 4, 8, 9, 1_000].map((attempt) => backoffDelay(attempt, 0.5))).toEqual([
      250, 500, 1_000, 2_000, 32_000, 60_000, 60_000,
    ])
  })

  it('differ by a fifth either way', () => {
    expect([0, 1].map((random) => backoffDelay(3, random))).toEqual([800, 1_200])
  })

  it('begin at a second where a process ended while it started, and grow fourfold', () => {
    const ended: ServerEvent = { type: 'start-failed', reason: reason('exited'), permanent: false }
    expect(transition(at('starting'), ended, around).nextTryAt).toBe(2_000)
    expect(transition(at('starting', { attempt: 1 }), ended, around).nextTryAt).toBe(5_000)
  })

  it('are skipped for the first restart of a process that had run', () => {
    expect(transition(at('running'), events['lost']!, around).nextTryAt).toBe(1_020)
    expect(transition(at('running', { attempt: 1 }), events['lost']!, around).nextTryAt).toBe(1_500)
    const unreachable: ServerEvent = { type: 'lost', reason: reason('connection-refused') }
    expect(transition(at('running'), unreachable, around).nextTryAt).toBe(1_250)
  })
})

describe('stopping leads to what was asked for last', () => {
  it.each<[ServerEvent['type'], ServerState]>([
    ['disable', 'disabled'],
    ['restart', 'starting'],
    ['start', 'starting'],
    ['stop', 'idle'],
    ['enable', 'idle'],
  ])('%s', (type, state) => {
    const machine = transition(at('stopping', { then: 'starting' }), { type } as ServerEvent, around)
    expect(machine.state).toBe('stopping')
    expect(transition(machine, { type: 'stopped' }, around).state).toBe(state)
  })
})

it('a reason belongs to its state', () => {
  const degraded = transition(at('running'), events['impaired']!, around)
  expect(degraded.reason).toEqual(reason('unresponsive'))
  expect(transition(degraded, { type: 'recovered' }, around).reason).toBeNull()
})
