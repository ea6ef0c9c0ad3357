import { once } from 'node:events'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { diagnose } from '../../hub/upstream/process/diagnose.ts'
import { exitReason } from '../../hub/upstream/process/exit-reason.ts'
import { levelOf, readStderr } from '../../hub/upstream/process/stderr-reader.ts'

/** What the programs really print, shortened. */
const cases: [what: string, text: string, cause: string, cure: RegExp][] = [
  [
    'npx: no such package',
    `npm error code E404
npm error 404 Not Found - GET https://registry.npmjs.org/@acme%2fno-such-server - Not found
npm error 404
npm error 404  '@acme/no-such-server@*' is not in this registry.`,
    'the package @acme/no-such-server is not in the npm registry',
    /spelling/,
  ],
  [
    'npx of npm 8',
    `npm ERR! code E404
npm ERR! 404 Not Found - GET https://registry.npmjs.org/no-such-thing - Not found`,
    'the package no-such-thing is not in the npm registry',
    /spelling/,
  ],
  [
    'npx: no such version',
    `npm error code ETARGET
npm error notarget No matching version found for @modelcontextprotocol/server-memory@99.`,
    'the version that is asked for does not exist in the npm registry',
    /version/,
  ],
  [
    'npx: no network',
    `npm error code ENOTFOUND
npm error syscall getaddrinfo
npm error errno ENOTFOUND
npm error network request to https://registry.npmjs.org/x failed, reason: getaddrinfo ENOTFOUND registry.npmjs.org`,
    'npm cannot reach its registry',
    /proxy/,
  ],
  [
    'npx: a library',
    `npm error could not determine executable to run\nnpm error A complete log of this run`,
    'the package brings no program',
    /library/,
  ],
  [
    'uvx: no such package',
    `  × No solution found when resolving tool dependencies:
  ╰─▶ Because mcp-server-nothing was not found in the package registry and you require mcp-server-nothing`,
    'the package mcp-server-nothing is not in the Python registry',
    /PyPI/,
  ],
  [
    'uvx: no Python',
    'error: No interpreter found for Python 3.13 in managed installations or search path',
    'there is no Python 3.13',
    /uv python install/,
  ],
  [
    'python: no module',
    "Traceback (most recent call last):\nModuleNotFoundError: No module named 'mcp'",
    'the Python module mcp is missing',
    /pip install/,
  ],
  [
    'node: not built',
    "node:internal/modules/cjs/loader:1210\n  throw err;\nError: Cannot find module '/srv/build/index.js'",
    'the module /srv/build/index.js is missing',
    /build/,
  ],
  [
    'docker: not running',
    'docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    'Docker does not run',
    /Start Docker/,
  ],
  [
    'docker: no image',
    `Unable to find image 'acme/mcp:latest' locally
docker: Error response from daemon: pull access denied for acme/mcp, repository does not exist or may require 'docker login'`,
    'the image acme/mcp cannot be had',
    /docker login/,
  ],
  [
    'deno: not allowed',
    'error: Uncaught (in promise) NotCapable: Requires net access to "api.example.com:443", run again with the --allow-net flag',
    'Deno does not allow it net access',
    /--allow-net/,
  ],
  [
    'a port in use',
    'Error: listen EADDRINUSE: address already in use 127.0.0.1:8080',
    'a port that it wants is in use (8080)',
    /holds the port/,
  ],
  [
    'no interpreter',
    '/usr/bin/env: ‘python’: No such file or directory',
    'python, which runs it, is not installed or not in PATH',
    /PATH/,
  ],
  [
    'a variable',
    'Error: BRAVE_API_KEY environment variable is required',
    'the variable BRAVE_API_KEY is not set',
    /\$\{secret:BRAVE_API_KEY\}/,
  ],
  ['a variable, named last', 'Please provide a token: set GITHUB_TOKEN', 'the variable GITHUB_TOKEN is not set', /env/],
  [
    'a key',
    'Please provide a personal access token (PAT) with the --access-token flag',
    'it has no valid key or token',
    /documentation/,
  ],
  [
    'a host',
    'TypeError: fetch failed: getaddrinfo ENOTFOUND api.example.com',
    'the host api.example.com cannot be found',
    /network/,
  ],
  ['usage', 'Usage: mcp-server-filesystem [allowed-directory]', 'its arguments are not what it expects', /args/],
  [
    'glibc',
    "node: /lib/libc.so.6: version `GLIBC_2.38' not found (required by node)",
    'it is built for a newer system (GLIBC_2.38)',
    /container/,
  ],
  [
    'a file',
    "Error: ENOENT: no such file or directory, open '/data/notes.json'",
    '/data/notes.json does not exist',
    /path/,
  ],
]

describe('the last words of a server are understood', () => {
  it.each(cases)('%s', (_what, text, cause, cure) => {
    const found = diagnose(text.split('\n'))
    expect(found?.cause.text.startsWith(cause)).toBe(true)
    expect(found?.cure.text).toMatch(cure)
    expect(`${found?.cause.text}${found?.cure.text}`).not.toMatch(/\{0\}|undefined/)
  })
  it('and not over-interpreted', () => {
    expect(diagnose(['Server running on stdio', 'Goodbye'])).toBeNull()
    expect(diagnose([])).toBeNull()
  })
  it('a reason has the cause, the cure and the words themselves', async () => {
    expect(await exitReason(1, null, ['npm error could not determine executable to run'])).toMatchObject({
      code: 'exited',
      message: 'The server process exited with code 1: the package brings no program',
      cure: expect.stringContaining('library') as string,
      detail: 'npm error could not determine executable to run',
    })
    expect(await exitReason(null, 'SIGKILL', [])).toMatchObject({
      code: 'exited',
      message: 'The server process was ended by SIGKILL',
      cure: 'Run its command in a terminal to see what it says.',
    })
  })
})

it.each([
  ['[ERROR] x', 'error'],
  ['2026-08-31 10:00:00,123 - INFO - Processing errors: none', 'info'],
  ['WARNING: old', 'warn'],
  ['DEBUG:mcp:x', 'debug'],
  ['12:00:01 debug: error handler installed', 'debug'],
  ['Traceback (most recent call last):', 'error'],
  ['TypeError: x', 'error'],
  ['(node:1) ExperimentalWarning: x', 'warn'],
  ['this is a warning', 'warn'],
  ['Server running on stdio', 'info'],
  ['Fatal: x', 'error'],
])('%s is of level %s', (line, level) => {
  expect(levelOf(line)).toBe(level)
})

it.each(['.', ' ', '-/', 'T1 '])('a line of nothing but %j is looked at once, however long it is', (text) => {
  expect(levelOf(text.repeat(10_000))).toBe('info')
})

it('long lines without a word that is known do not hold up the diagnosis', () => {
  expect(diagnose(Array<string>(40).fill('a'.repeat(20_000)))).toBeNull()
})

it('a line on stderr is cut, also one that comes whole', async () => {
  const heard: string[] = []
  const stream = Readable.from([Buffer.from(`${'x'.repeat(50_000)}\nshort\r\n${'y'.repeat(50_000)}`)])
  const { lastLines } = readStderr(stream, (_level, text) => heard.push(text))
  await once(stream, 'end')
  expect(heard.map((text) => text.length)).toEqual([10_000, 5, 10_000])
  expect(lastLines()).toEqual(heard)
})
