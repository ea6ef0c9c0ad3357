import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { mergeEnvironment, minimalEnvironment, variableOf } from '../../hub/upstream/process/environment.ts'
import { executableCandidates, findExecutable } from '../../hub/upstream/process/executable.ts'
import { prepareCommand } from '../../hub/upstream/process/prepare-command.ts'
import { installHint, isOlder, runtimeOf, versionIn } from '../../hub/upstream/process/runtimes.ts'
import {
  createSearchPathSource,
  joinPaths,
  loginShellPath,
  pathIn,
  shellArguments,
} from '../../hub/upstream/process/search-path.ts'
import { quoteForBatch, windowsCommand } from '../../hub/upstream/process/windows-command.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

const windows = { platform: 'win32', path: 'C:\\node;C:\\uv', pathExt: '.COM;.EXE;.BAT;.CMD', cwd: 'C:\\work' } as const
const linux = { platform: 'linux', path: '/usr/bin:/opt/bin:/usr/bin:', pathExt: undefined, cwd: '/srv' } as const

describe('a command stands for', () => {
  it('the file of that name in each folder of PATH, once', () => {
    expect(executableCandidates('npx', linux)).toEqual(['/usr/bin/npx', '/opt/bin/npx'])
  })
  it('a file from the working directory on, when it has a folder', () => {
    expect(executableCandidates('./server', linux)).toEqual(['/srv/server'])
    expect(executableCandidates('/opt/server', linux)).toEqual(['/opt/server'])
    expect(executableCandidates('bin\\server.exe', windows)[0]).toBe('C:\\work\\bin\\server.exe')
  })
  it('on Windows only files with an extension of PATHEXT, never the shell script that npm puts beside them', () => {
    const candidates = executableCandidates('npx', windows)
    expect(candidates.slice(0, 4)).toEqual([
      'C:\\node\\npx.com',
      'C:\\node\\npx.exe',
      'C:\\node\\npx.bat',
      'C:\\node\\npx.cmd',
    ])
    expect(candidates).not.toContain('C:\\node\\npx')
  })
  it('itself, when it has such an extension', () => {
    expect(executableCandidates('npx.cmd', windows)[0]).toBe('C:\\node\\npx.cmd')
  })
})

describe('on Windows', () => {
  it('an .exe starts by itself, with its arguments as they are', () => {
    expect(windowsCommand('C:\\uv\\uvx.exe', ['a b', '%PATH%'], 'cmd.exe')).toEqual({
      file: 'C:\\uv\\uvx.exe',
      args: ['a b', '%PATH%'],
      verbatim: false,
    })
  })
  it('a .cmd starts through cmd.exe, without its AutoRun', () => {
    const { file, args, verbatim } = windowsCommand('C:\\Program Files\\nodejs\\npx.cmd', ['-y', 'a&b'], 'C:\\cmd.exe')
    expect({ file, verbatim }).toEqual({ file: 'C:\\cmd.exe', verbatim: true })
    expect(args.slice(0, 3)).toEqual(['/d', '/s', '/c'])
    expect(args[3]).toBe('"C:\\Program^ Files\\nodejs\\npx.cmd ^^^"-y^^^" ^^^"a^^^&b^^^""')
  })
  it('an argument with a line break is refused, for cmd.exe would end there', () => {
    expect(() => quoteForBatch('a\nwhoami')).toThrow('line break')
  })
  it('whatever is in an argument, it comes out the same after cmd.exe has parsed it twice and the program once', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...Array.from('ab \\"%!^&|<>();,*?[]`$\'')) }), (arg) => {
        expect(argvOf(cmdParse(cmdParse(quoteForBatch(arg))))).toEqual([arg])
      }),
      { numRuns: 2_000 },
    )
  })
  it('PATH and Path are one variable', () => {
    expect(mergeEnvironment({ PATH: 'a', HOME: 'h' }, { Path: 'b' }, 'win32')).toEqual({ HOME: 'h', Path: 'b' })
    expect(mergeEnvironment({ PATH: 'a' }, { Path: 'b' }, 'linux')).toEqual({ PATH: 'a', Path: 'b' })
    expect(variableOf({ Path: 'b' }, 'PATH', 'win32')).toBe('b')
    expect(variableOf({ Path: 'b' }, 'PATH', 'linux')).toBe('')
  })
})

/** cmd.exe's phase 2: a caret takes the meaning of the next character; a bare quote would begin a quoted part. */
function cmdParse(line: string): string {
  let out = ''
  for (let index = 0; index < line.length; index++) {
    if (line[index] === '^') out += line[++index] ?? ''
    else if (/[&|<>()"%!]/.test(line[index]!)) throw new Error(`cmd.exe would act on ${line[index]!} in ${line}`)
    else out += line[index]!
  }
  return out
}

/** CommandLineToArgvW, as the C runtime does it. */
function argvOf(line: string): string[] {
  const args: string[] = []
  let current = ''
  let quoted = false
  for (let index = 0; index < line.length;) {
    let slashes = 0
    while (line[index] === '\\') {
      slashes++
      index++
    }
    if (line[index] === '"') {
      current += '\\'.repeat(Math.floor(slashes / 2))
      if (slashes % 2 === 1) current += '"'
      else quoted = !quoted
      index++
      continue
    }
    current += '\\'.repeat(slashes)
    if (index >= line.length) break
    if (line[index] === ' ' && !quoted) {
      args.push(current)
      current = ''
    } else current += line[index]!
    index++
  }
  return [...args, current]
}

describe('before anything is started', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeAll(async () => {
    folder = await temporaryFolder()
    await mkdir(path.join(folder.path, 'bin'))
    await writeFile(path.join(folder.path, 'bin', 'plain'), 'text')
    await writeFile(path.join(folder.path, 'bin', 'server'), '#!/bin/sh\n')
    await chmod(path.join(folder.path, 'bin', 'server'), 0o755)
  })
  afterAll(() => folder.dispose())
  const command = (name: string, more: object = {}) =>
    prepareCommand({ command: name, args: [], env: { PATH: path.join(folder.path, 'bin') }, cwd: undefined, ...more })

  it('the executable is found', async () => {
    expect(await command('server')).toMatchObject({ file: path.join(folder.path, 'bin', 'server') })
    expect(await command('./bin/server', { cwd: folder.path })).toMatchObject({
      file: path.join(folder.path, 'bin', 'server'),
    })
  })
  it('a missing runtime is told with the places and how to install it', async () => {
    expect(await command('uvx')).toMatchObject({
      reason: {
        code: 'command-not-found',
        message: 'The command uvx was not found',
        cure: expect.stringMatching(/^Install uv: /) as string,
        detail: `Looked in ${path.join(folder.path, 'bin')}`,
      },
    })
  })
  it('a folder that does not exist is told', async () => {
    expect(await command('server', { cwd: '/no/such/folder' })).toMatchObject({
      reason: { code: 'spawn-failed', message: 'The working directory /no/such/folder does not exist' },
    })
    expect(await command('server', { cwd: path.join(folder.path, 'bin', 'plain') })).toMatchObject({
      reason: { message: expect.stringContaining('is no folder') as string },
    })
  })
  it.each([
    ['plain', 'chmod +x'],
    ['~/bin/server', '${home}'],
    ['node server.js', 'into args'],
    ['/no/such/file', 'Check the path'],
  ])('%s is explained', async (name, cure) => {
    expect(await command(name)).toMatchObject({ reason: { cure: expect.stringContaining(cure) as string } })
  })
  it('an empty PATH is told as such', async () => {
    expect(await findExecutable('node', { ...linux, path: '' })).toMatchObject({ reason: { detail: 'PATH is empty' } })
  })
})

it('a server gets a few variables of the hub, and no exported shell function', () => {
  const source = { HOME: '/h', API_KEY: 'secret', LANG: '() { :; }', PATH: '/hub', https_proxy: 'http://p' }
  expect(minimalEnvironment(source, '/bin', 'linux')).toEqual({ PATH: '/bin', HOME: '/h', https_proxy: 'http://p' })
})

describe('known runtimes', () => {
  it.each([
    ['/usr/local/bin/npx', 'Node.js'],
    ['C:\\nodejs\\npx.cmd', 'Node.js'],
    ['python3.12', 'Python'],
    ['bunx', 'Bun'],
    ['deno', 'Deno'],
    ['docker', 'Docker'],
    ['uvx', 'uv'],
  ])('%s is of %s', (command, name) => {
    expect(runtimeOf(command)?.name).toBe(name)
  })
  it('others are not guessed', () => {
    expect(runtimeOf('my-node')).toBeNull()
    expect(installHint('my-server', 'linux')).toBeNull()
  })
  it('are installed another way on each platform', () => {
    const hints = (['linux', 'darwin', 'win32'] as const).map((platform) => installHint('npx', platform))
    expect(new Set(hints.map(String)).size).toBe(3)
    expect(hints[0]?.text).toContain('which brings npx')
  })
  it('tell their version', () => {
    expect(['v24.21.0', 'uv 0.9.2 (abc)', 'Docker version 28.1.1, build 4eba', 'none'].map(versionIn)).toEqual([
      '24.21.0',
      '0.9.2',
      '28.1.1',
      null,
    ])
    expect([isOlder('16.20.2', '18.0.0'), isOlder('18.0.0', '18.0.0'), isOlder('3.9', '3.10.0')]).toEqual([
      true,
      false,
      true,
    ])
  })
})

describe('the PATH of the login shell', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(() => folder.dispose())

  async function shell(name: string, script: string): Promise<string> {
    const file = path.join(folder.path, name)
    await writeFile(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    return file
  }

  it('is read from what the shell’s files set, whatever else they print', async () => {
    const file = await shell(
      'chatty',
      'echo "Welcome!"; echo PATH=/wrong; PATH=/from/profile:/bin; export PATH; eval "$2"',
    )
    const found = await loginShellPath({ shell: file })
    expect(found).toMatchObject({ source: 'login-shell', problem: null, shell: file })
    expect(found.value.split(':').slice(0, 2)).toEqual(['/from/profile', '/bin'])
    // What our own PATH has besides is not lost.
    for (const own of (process.env['PATH'] ?? '').split(':').filter(Boolean)) expect(found.value).toContain(own)
  })
  it('is read from a shell that leaves something running', async () => {
    const file = await shell('agent', 'sleep 60 & eval "$2"')
    expect(await loginShellPath({ shell: file })).toMatchObject({ source: 'login-shell' })
  })
  it.each([
    ['hangs', 'sleep 60', 'took longer than 0.3 s'],
    ['fails', 'exit 1', 'printed no PATH'],
  ])('is our own when the shell %s', async (name, script, problem) => {
    const found = await loginShellPath({ shell: await shell(name, script), timeoutMs: 300 })
    expect(found).toMatchObject({ source: 'environment', value: process.env['PATH'] })
    expect(found.problem).toContain(problem)
  })
  it.each(['/no/such/shell', '/usr/sbin/nologin', ''])('is our own with the shell %j', async (name) => {
    expect(await loginShellPath({ shell: name === '' ? '/bin/false' : name })).toMatchObject({ source: 'environment' })
  })
  it('is read once, and again when asked to', async () => {
    let reads = 0
    const source = createSearchPathSource(() => {
      reads++
      return loginShellPath({ shell: '/bin/sh' })
    })
    await Promise.all([source.current(), source.current()])
    expect(reads).toBe(1)
    await source.refresh()
    await source.current()
    expect(reads).toBe(2)
  })
  it('each shell is asked in its own way', () => {
    expect(shellArguments('/bin/zsh')[0]).toBe('-ilc')
    expect(shellArguments('/bin/tcsh')[0]).toBe('-ic')
    expect(shellArguments('/usr/bin/nu').slice(0, 3)).toEqual(['-l', '-i', '-c'])
  })
  it('parts', () => {
    expect(pathIn('no marks')).toBeNull()
    expect(joinPaths('/a:/b', '/b::/c')).toBe('/a:/b:/c')
  })
})
