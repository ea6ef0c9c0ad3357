import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { contentSecurityPolicy } from '../../hub/contract/csp.ts'
import { isAppFrameUrl, isAppUrl, mayOpenOutside, resolveAsset } from '../../main/app-url.ts'
import { runCommand, type CommandHandlers } from '../../main/command-gate.ts'
import { readHubLine } from '../../main/hub/read-line.ts'
import { backoffDelay } from '../../main/hub/supervisor.ts'
import { defaultSettings, keepSettings, migrateSettings, type SettingsFile } from '../../main/settings-file.ts'
import { createReloadLimit } from '../../main/page-crashes.ts'
import { clientSnippet } from '../../main/snippets.ts'
import { failedStart } from '../../main/texts.ts'
import { clampBounds } from '../../main/window-bounds.ts'

describe('paths of the page', () => {
  const root = path.resolve('/srv/renderer')
  it.each([
    ['/', 'index.html'],
    ['/servers/my%20server', 'index.html'],
    ['/servers/acme.notes', 'index.html'],
    ['/tools/acme.notes/notes.create', 'index.html'],
    ['/icon.svg', 'icon.svg'],
    ['/schemas/servers.json', 'schemas/servers.json'],
    ['/assets/app-1.js', 'assets/app-1.js'],
  ])('%s is %s', (pathname, file) => {
    expect(resolveAsset(root, pathname)).toBe(path.join(root, file))
  })
  it.each(['/..%2f..%2fetc/passwd.txt', '/%2e%2e/secret.js', '/a%00.js', '/%', '/..%5c..%5cx.js'])(
    '%s leads nowhere',
    (pathname) => {
      expect(resolveAsset(root, pathname)).toBeNull()
    },
  )
})

it('only our page is our page', () => {
  expect(isAppUrl('app://hub/servers')).toBe(true)
  for (const url of ['app://evil/', 'https://hub/', 'file:///etc/passwd', 'nonsense']) expect(isAppUrl(url)).toBe(false)
})

it('a frame may show the document of an app, and no other page of ours', () => {
  expect(isAppFrameUrl('app://hub/api/apps/frame?connectDomains=https%3A%2F%2Fa.example.com')).toBe(true)
  for (const url of [
    'app://hub/',
    'app://hub/api/tools',
    'app://hub/api/apps/frame/../tools',
    'https://hub/api/apps/frame',
  ])
    expect(isAppFrameUrl(url)).toBe(false)
})

it('links that start programs are not opened', () => {
  expect(mayOpenOutside('https://example.com')).toBe(true)
  for (const url of ['file:///etc/passwd', 'ms-msdt:x', 'javascript:1', 'smb://x', ''])
    expect(mayOpenOutside(url)).toBe(false)
})

describe('the gate for commands', () => {
  const handlers = {
    'hub.state': () => ({ state: 'running' }),
    'settings.set': (input: unknown) => input,
  } as unknown as CommandHandlers
  const page = { url: 'app://hub/', isMainFrame: true }
  it('runs a known command from our page', async () => {
    expect(await runCommand(handlers, page, 'hub.state', undefined)).toEqual({ ok: true, value: { state: 'running' } })
  })
  it.each([
    ['a foreign page', { url: 'https://evil.example/', isMainFrame: true }, 'hub.state', undefined, 'FORBIDDEN_SENDER'],
    ['a frame', { url: 'app://hub/', isMainFrame: false }, 'hub.state', undefined, 'FORBIDDEN_SENDER'],
    ['a key of every object', page, 'toString', undefined, 'UNKNOWN_COMMAND'],
    ['a bad value', page, 'settings.set', { theme: 'purple' }, 'BAD_INPUT'],
    ['an unknown key', page, 'settings.set', { themee: 'dark' }, 'BAD_INPUT'],
  ])('refuses %s', async (_what, sender, name, input, code) => {
    expect(await runCommand(handlers, sender, name, input)).toMatchObject({ ok: false, error: { code } })
  })
})

describe('what the hub prints', () => {
  it('comes into the log of the app at its own level', () => {
    const line = '{"level":"warn","time":"2026-01-01T00:00:00Z","server":"github","message":"Server state"}'
    expect(readHubLine(line)).toEqual({ level: 'warn', message: 'Server state', data: { server: 'github' } })
  })
  it.each(['MCP endpoint: http://127.0.0.1:3737/mcp', '{"level":"loud","message":"x"}', '{"level":"info"', '{}'])(
    'is taken as it is when it is no line of a log: %s',
    (line) => expect(readHubLine(line)).toEqual({ level: 'info', message: line, data: null }),
  )
})

describe('settings of another time', () => {
  it('keeps what fits and defaults the rest', () => {
    expect(migrateSettings({ desktop: { theme: 'dark', locale: 'klingon', old: 1 }, bounds: { x: 1 } })).toEqual({
      ...defaultSettings,
      desktop: { ...defaultSettings.desktop, theme: 'dark' },
    })
  })
  it.each([null, undefined, 7, 'x', []])('makes defaults of %j', (found) => {
    expect(migrateSettings(found)).toEqual(defaultSettings)
  })
})

describe('settings on a disk', () => {
  const dark = { ...defaultSettings, desktop: { ...defaultSettings.desktop, theme: 'dark' as const } }
  const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC', syscall: 'write' })
  const busy = Object.assign(new Error('EBUSY: resource busy'), { code: 'EBUSY', syscall: 'open' })
  const refuse = (error: Error) => (): never => {
    throw error
  }
  function openOn(place: { read?: () => unknown; moveAside?: () => void; write?: () => void }) {
    const done: (string | SettingsFile)[] = []
    const problems: unknown[] = []
    const settings = keepSettings(
      {
        read: place.read ?? (() => dark),
        moveAside: place.moveAside ?? (() => done.push('moved aside')),
        write: place.write ?? ((next) => done.push(next)),
      },
      (error) => problems.push(error),
    )
    return { settings, done, problems }
  }

  it('are written when something changed, and not at each start', () => {
    const { settings, done } = openOn({})
    expect(done).toEqual([])
    expect(openOn({ read: () => Object.assign(Object.create(null) as object, dark) }).done).toEqual([])
    settings.setTrayHintShown()
    expect(done).toEqual([{ ...dark, trayHintShown: true }])
    expect(openOn({ read: () => ({ version: 0 }) }).done).toEqual([defaultSettings])
  })
  it('cost no start where nothing can be written, and say so to who changes them', () => {
    const { settings, problems } = openOn({ read: () => ({}), write: refuse(full) })
    expect(settings.desktop).toEqual(defaultSettings.desktop)
    settings.setBounds({ x: 1, y: 2, width: 800, height: 600, maximized: false })
    expect(settings.bounds?.width).toBe(800)
    expect(problems).toEqual([full, full])
    expect(() => settings.setDesktop({ theme: 'light' })).toThrow('ENOSPC')
    expect(settings.desktop.theme).toBe('system')
  })
  it('are moved aside when they are broken, and stay as they are when the system does not let them be read', () => {
    expect(openOn({ read: refuse(new SyntaxError('Unexpected end')) }).done).toEqual(['moved aside', defaultSettings])
    const { settings, done } = openOn({ read: refuse(busy) })
    expect(() => settings.setDesktop({ theme: 'light' })).toThrow('EBUSY')
    expect(done).toEqual([])
    expect(openOn({ read: refuse(new SyntaxError('x')), moveAside: refuse(busy) }).done).toEqual([])
  })
})

it('says what keeps the app from starting, in the language of the system', () => {
  const error = new Error('ENOSPC: no space left on device')
  expect(failedStart(error, '/home/a/data', 'en-GB').text).toMatch(/^ENOSPC.*\n\n.*\/home\/a\/data/)
  expect(failedStart(error, '/home/a/data', 'zh-TW').title).toBe('MCP Hub 无法启动')
})

it('loads a page that crashed again, but not one that crashes each time', () => {
  let at = 0
  const mayReload = createReloadLimit(() => at)
  expect([mayReload(), mayReload(), mayReload(), mayReload()]).toEqual([true, true, true, false])
  at = 60_000
  expect(mayReload()).toBe(true)
})

it('waits longer after each crash, and never more than six seconds', () => {
  expect([1, 2, 3, 4, 5, 50].map((crashes) => backoffDelay(crashes, 0.5))).toEqual([
    250, 500, 1_000, 2_000, 5_000, 5_000,
  ])
  expect(backoffDelay(1, 0)).toBe(200)
  expect(backoffDelay(1, 1)).toBe(300)
})

it('brings a window back onto a display', () => {
  const display = { x: 0, y: 0, width: 1_000, height: 800 }
  expect(clampBounds({ x: 900, y: -50, width: 600, height: 400 }, [display])).toEqual({
    x: 400,
    y: 0,
    width: 600,
    height: 400,
  })
  expect(clampBounds({ x: 5_000, y: 0, width: 600, height: 400 }, [display])).toBeNull()
})

it('allows scripts and styles of our own only', () => {
  const policy = contentSecurityPolicy('abc')
  expect(policy).toContain("script-src 'self';")
  expect(policy).toContain("style-src 'self' 'nonce-abc';")
  expect(policy).not.toContain('unsafe')
})

it('writes the command line that Claude Code and the shell take', () => {
  const line = (platform: NodeJS.Platform): string =>
    clientSnippet('claude-code', 'http://127.0.0.1:3737/mcp', 't0ken', "it's.v2", platform)
  const begin = 'claude mcp add --transport http mcp-hub-it_s_v2'
  expect(line('linux')).toBe(`${begin} 'http://127.0.0.1:3737/mcp/it'\\''s.v2' --header 'Authorization: Bearer t0ken'`)
  expect(line('win32')).toBe(`${begin} "http://127.0.0.1:3737/mcp/it's.v2" --header "Authorization: Bearer t0ken"`)
  const names = ['日本', '中文', 'a b', 'a-b'].map(
    (server) => clientSnippet('claude-code', 'http://x', 't', server).split(' ')[5],
  )
  expect(names).toEqual(['mcp-hub-u65e5u672c', 'mcp-hub-u4e2du6587', 'mcp-hub-a_b', 'mcp-hub-a-b'])
})
