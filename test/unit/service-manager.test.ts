import { expect, it } from 'vitest'
import { openServiceManager } from '../../hub/service-manager.ts'
import { fakeClock } from '../fixtures/clock.ts'

function open(env: NodeJS.ProcessEnv): {
  manager: ReturnType<typeof openServiceManager>
  said: string[]
  clock: ReturnType<typeof fakeClock>
} {
  const said: string[] = []
  const clock = fakeClock()
  const manager = openServiceManager(env, { notify: (messages) => said.push(...messages), clock })
  return { manager, said, clock }
}

it('says that it is ready, feeds the watchdog from then on, and says that it ends', () => {
  const { manager, said, clock } = open({ NOTIFY_SOCKET: '/run/systemd/notify', WATCHDOG_USEC: '60000000' })
  clock.advance(120_000)
  expect(said).toEqual([])
  manager.ready()
  clock.advance(60_000)
  expect(said).toEqual(['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1'])
  manager.stopping()
  expect(said.at(-1)).toBe('STOPPING=1')
})

it('says nothing where nobody listens, and watches nothing that is meant for another process', () => {
  const alone = open({})
  alone.manager.ready()
  alone.manager.stopping()
  expect(alone.said).toEqual([])
  const other = open({ NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '60000000', WATCHDOG_PID: '1' })
  other.manager.ready()
  other.clock.advance(600_000)
  expect(other.said).toEqual(['READY=1'])
})

it('leaves the servers that it starts nothing to speak with', () => {
  const env = { NOTIFY_SOCKET: '@x', WATCHDOG_USEC: '1', WATCHDOG_PID: '1', PATH: '/bin' }
  open(env)
  expect(env).toEqual({ PATH: '/bin' })
})
