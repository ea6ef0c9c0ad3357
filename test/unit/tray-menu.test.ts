import { describe, expect, it } from 'vitest'
import { textIn, type Overview, type ServerState } from '../../hub/contract/index.ts'
import { say } from '../../hub/say.ts'
import { needsSignIn } from '../../hub/upstream/oauth/failures.ts'
import { exitReason } from '../../hub/upstream/process/exit-reason.ts'
import { createSignInNotices } from '../../main/sign-in-notices.ts'
import { textsOf } from '../../main/texts.ts'
import { trayModel, type TrayItem, type TrayModel, type TrayState } from '../../main/tray-menu.ts'

const endpoint: Overview['endpoint'] = {
  state: 'listening',
  url: 'http://127.0.0.1:3737/mcp',
  port: 3737,
  takenBy: null,
  message: null,
}
const running: TrayState['hub'] = { state: 'running', crashes: 0, nextStartAt: null, lastExit: null }

function overview(states: Record<string, ServerState>, change: Partial<Overview> = {}): Overview {
  const reason = { code: 'exited' as const, message: 'The server process exited with code 1', cure: 'Read the log.' }
  return {
    endpoint,
    configFaults: 0,
    signIns: [],
    profiles: [],
    servers: Object.entries(states).map(([name, state]) => ({
      name,
      state,
      reason: state === 'failed' || state === 'backoff' ? reason : null,
    })),
    ...change,
  }
}

const ids = (model: TrayModel): string[] => model.items.flatMap((item) => (item === null ? [] : [item.id]))
const find = (model: TrayModel, id: string): TrayItem | undefined =>
  model.items.flatMap((item) => (item === null ? [] : [item, ...(item.items ?? [])])).find((item) => item.id === id)

describe('the icon shows the worst state', () => {
  it.each<[string, TrayState, TrayModel['icon']]>([
    ['all well', { hub: running, overview: overview({ a: 'running', b: 'disabled' }) }, 'ok'],
    ['one starting', { hub: running, overview: overview({ a: 'running', b: 'starting' }) }, 'working'],
    ['one failed', { hub: running, overview: overview({ a: 'failed', b: 'starting' }) }, 'degraded'],
    ['broken configuration', { hub: running, overview: overview({}, { configFaults: 1 }) }, 'degraded'],
    [
      'port taken',
      {
        hub: running,
        overview: overview({}, { endpoint: { ...endpoint, state: 'port-in-use', takenBy: 'node (pid 7)' } }),
      },
      'degraded',
    ],
    ['hub restarting', { hub: { ...running, state: 'backoff' }, overview: null }, 'working'],
    ['hub failed', { hub: { ...running, state: 'failed' }, overview: null }, 'down'],
  ])('%s', (_what, state, icon) => {
    expect(trayModel(state, textsOf('en')).icon).toBe(icon)
  })
})

it('offers to sign in again for each account that needs a person, also while its server runs', () => {
  const state: TrayState = { hub: running, overview: overview({ work: 'running' }, { signIns: ['work'] }) }
  const model = trayModel(state, textsOf('en'))
  expect(find(model, 'sign-in:work')).toMatchObject({
    label: 'Sign In Again: work…',
    command: { type: 'sign-in', name: 'work' },
  })
  expect(model.icon).toBe('degraded')
  expect(
    find(trayModel({ ...state, hub: { ...running, state: 'backoff' } }, textsOf('en')), 'sign-in:work'),
  ).toBeUndefined()
})

it('tells of an account that needs a person once, and again after somebody signed in', () => {
  const notices = createSignInNotices()
  const at = (...signIns: string[]): string[] =>
    notices(overview({ a: signIns.includes('a') ? 'needs-auth' : 'running' }, { signIns })).map(({ server }) => server)
  expect(at('a')).toEqual(['a'])
  expect(at('a')).toEqual([])
  expect(at('a', 'b')).toEqual(['b'])
  expect(at('b')).toEqual([])
  expect(at('a', 'b')).toEqual(['a'])
})

it('tells of no account again because the hub is started anew', () => {
  const notices = createSignInNotices()
  const needed = overview({ a: 'needs-auth' }, { signIns: ['a'] })
  expect(notices(needed)).toHaveLength(1)
  // What a hub says before it has started its servers, and before it has read their accounts.
  expect(notices(overview({}))).toEqual([])
  for (const state of ['starting', 'idle', 'needs-auth'] as const) expect(notices(overview({ a: state }))).toEqual([])
  expect(notices(needed)).toEqual([])
})

it('counts the servers that are wanted, in both languages', () => {
  const state: TrayState = { hub: running, overview: overview({ a: 'running', b: 'failed', c: 'disabled' }) }
  expect(trayModel(state, textsOf('en')).tooltip).toBe('MCP Hub: 1 of 2 servers running')
  expect(trayModel(state, textsOf('zh-CN')).tooltip).toBe('MCP Hub: 2 个服务器中 1 个运行中')
})

it('puts broken servers first, each with its reason and its cures', () => {
  const model = trayModel({ hub: running, overview: overview({ good: 'running', bad: 'failed' }) }, textsOf('en'))
  expect(ids(model)).toEqual(['state', 'server:bad', 'servers', 'copy', 'open', 'publish', 'pause-hub', 'quit'])
  expect(find(model, 'reason:bad')).toMatchObject({ label: 'The server process exited with code 1', enabled: false })
  expect(find(model, 'restart:bad')?.command).toEqual({ type: 'restart-server', name: 'bad' })
  expect(find(model, 'logs:bad')?.command).toEqual({ type: 'open', path: '/servers/bad/logs' })
})

it('says in Chinese why servers are broken and who is needed, with nothing left in English', async () => {
  const exited = await exitReason(1, null, ['Error: Cannot find module "left-pad"'])
  const signIn = needsSignIn(say`${'c'} does not say where to sign in: ${'d'} has no OAuth metadata`)
  const broken = overview(
    { a: 'failed', b: 'backoff', c: 'needs-auth', ok: 'running' },
    { signIns: ['c'], endpoint: { ...endpoint, state: 'port-in-use', takenBy: null } },
  )
  for (const server of broken.servers)
    server.reason = server.name === 'ok' ? null : server.name === 'c' ? signIn : exited
  const texts = textsOf('zh-CN')
  const labels = (items: TrayModel['items']): string[] =>
    items.flatMap((item) => (item === null ? [] : [item.label, ...labels(item.items ?? [])]))
  for (const state of ['running', 'failed', 'backoff'] as const) {
    const model = trayModel({ hub: { ...running, state }, overview: broken }, texts)
    const shown = [model.tooltip, ...labels(model.items)].map((label) =>
      label.replace(/MCP Hub|OAuth|left-pad|Hub/g, ''),
    )
    expect(shown.length).toBeGreaterThan(5)
    expect(shown.filter((label) => /[A-Za-z]{2}/.test(label.replace(/^(?:ok|[abc]): /, '')))).toEqual([])
  }
  const [notice] = createSignInNotices()(broken)
  expect(textIn(texts.said, notice!.reason!, 'message')).toBe('c 没有说明在哪里登录：d 没有 OAuth 元数据')
  expect(Object.values(textsOf('en').said)).toEqual([])
})

it('offers to restart a hub that failed, and nothing that needs one', () => {
  const model = trayModel({ hub: { ...running, state: 'failed' }, overview: null }, textsOf('en'))
  expect(ids(model)).toEqual(['state', 'restart-hub', 'copy', 'open', 'publish', 'quit'])
  expect(find(model, 'copy')?.enabled).toBe(false)
  expect(find(model, 'publish')?.enabled).toBe(false)
})

it('copies the address of each profile while it can be reached', () => {
  const profiles = [{ name: 'at work', endpointPath: '/mcp/at%20work' }]
  const shown = trayModel({ hub: running, overview: overview({}, { profiles }) }, textsOf('en'))
  expect(find(shown, 'copy:at work')).toMatchObject({
    label: 'Copy URL of at work',
    command: { type: 'copy-endpoint', path: '/mcp/at%20work' },
  })
  const taken = { ...endpoint, state: 'port-in-use' as const }
  for (const change of [{ profiles: [] }, { profiles, endpoint: taken }])
    expect(ids(trayModel({ hub: running, overview: overview({}, change) }, textsOf('en')))).not.toContain('profiles')
})

it('pauses a hub that runs and resumes one that is stopped', () => {
  expect(find(trayModel({ hub: running, overview: overview({}) }, textsOf('en')), 'pause-hub')?.command).toEqual({
    type: 'pause-hub',
  })
  const paused = trayModel({ hub: { ...running, state: 'stopped' }, overview: null }, textsOf('en'))
  expect(ids(paused)).toEqual(['state', 'restart-hub', 'copy', 'open', 'publish', 'quit'])
  expect(find(paused, 'restart-hub')).toMatchObject({ label: 'Resume Hub', command: { type: 'restart-hub' } })
})
