import { appendFile, mkdir, readFile, readdir, rename, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createHubLog, type HubLog } from '../../hub/observe/log.ts'
import { parseSize } from '../../hub/config/setting-checks.ts'
import { logSettings } from '../../hub/observe/log-settings.ts'
import { createPinoWriter } from '../../hub/observe/pino-writer.ts'
import { rememberLog } from '../../hub/observe/recent-log.ts'
import { createRedactor } from '../../hub/observe/redactor.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let problems: string[]
const logs: HubLog[] = []
const at = (name: string): string => path.join(folder.path, name)
const linesOf = async (file: string): Promise<Record<string, unknown>[]> =>
  (await readFile(file, 'utf8').catch(() => ''))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

beforeEach(async () => {
  folder = await temporaryFolder()
  problems = []
})
afterEach(async () => {
  for (const log of logs.splice(0)) log.end()
  await folder.dispose()
})

function open(file: string, more: Parameters<typeof logSettings>[0] = {}): HubLog {
  const made = createHubLog({
    settings: logSettings({ file, ...more }),
    redactor: createRedactor(['the-value-of-a-secret']),
    onProblem: (text) => problems.push(text),
  })
  logs.push(made)
  return made
}

describe('a line of the log', () => {
  it('is the same before pino writes it and after', async () => {
    const hubLog = open(at('hub.log'))
    const say = (): void =>
      hubLog.log('warn', 'Server state', { server: 'github', detailed: { list: [1, 'two', null] } })
    say()
    await hubLog.handOver()
    say()
    await hubLog.flush()
    const [before, after] = (await readFile(at('hub.log'), 'utf8')).trimEnd().split('\n')
    const withoutTime = (line = ''): string => line.replace(/"time":"\d{4}-\d\d-\d\dT[\d:.]+Z"/, '"time":0')
    expect(withoutTime(before)).toBe(
      '{"level":"warn","time":0,"server":"github","detailed":{"list":[1,"two",null]},"message":"Server state"}',
    )
    expect(withoutTime(after)).toBe(withoutTime(before))
  })

  it.each([false, true])('holds no secret, by name or by value, and no second message (pino: %s)', async (pino) => {
    const hubLog = open(at('hub.log'))
    if (pino) await hubLog.handOver()
    hubLog.log('error', 'It quoted the-value-of-a-secret', {
      message: 'from the fault',
      headers: { Authorization: 'Bearer abc', nested: [{ apiKey: 'abc' }] },
      text: 'x the-value-of-a-secret y',
    })
    await hubLog.flush()
    expect((await linesOf(at('hub.log')))[0]).toMatchObject({
      message: 'It quoted [secret]',
      detail: 'from the fault',
      headers: { Authorization: '[redacted]', nested: [{ apiKey: '[redacted]' }] },
      text: 'x [secret] y',
    })
  })

  it.each([false, true])('never throws, whatever its data are (pino: %s)', async (pino) => {
    const hubLog = open(at('hub.log'))
    if (pino) await hubLog.handOver()
    const circle: Record<string, unknown> = {}
    circle['again'] = circle
    for (const data of [
      { circle },
      { big: 10n },
      {
        get broken(): never {
          throw new Error('no')
        },
      },
    ])
      expect(() => hubLog.log('error', 'Odd', data)).not.toThrow()
    hubLog.log('info', 'Still there')
    await hubLog.flush()
    expect((await linesOf(at('hub.log'))).map(({ message }) => message)).toContain('Still there')
  })

  it('comes out from its level on, which may change while it runs', async () => {
    const hubLog = open(at('hub.log'), { level: 'warn' })
    hubLog.log('info', 'one')
    hubLog.apply({ ...logSettings({ level: 'debug' }), file: at('hub.log') })
    hubLog.log('debug', 'two')
    await hubLog.handOver()
    hubLog.apply({ ...logSettings({}), file: at('other.log') })
    hubLog.log('debug', 'three')
    hubLog.log('info', 'four')
    await hubLog.flush()
    expect((await linesOf(at('hub.log'))).map(({ message }) => message)).toEqual(['two'])
    expect((await linesOf(at('other.log'))).map(({ message }) => message)).toEqual(['four'])
  })

  it('is remembered for diagnostics, unless it is one of very many', () => {
    const { log, entries } = rememberLog(() => undefined)
    log('debug', 'API request')
    log('warn', 'Server state')
    expect(entries().map(({ message }) => message)).toEqual(['Server state'])
  })
})

describe('the file of the log', () => {
  const settings = { file: '', maxBytes: 1_000, maxFiles: 3, rotation: 'hub' as const }
  const write = (writer: ReturnType<typeof createPinoWriter>, n: number): void =>
    writer.write('info', 'Line', { n, filler: 'x'.repeat(100) })
  const openWriter = (more: object): ReturnType<typeof createPinoWriter> =>
    createPinoWriter({
      settings: { ...settings, ...more },
      redactor: createRedactor(),
      onProblem: (text) => problems.push(text),
      lookMs: 20,
    })

  it('is put aside by the hub when it is large, a few are kept, and no line is lost between them', async () => {
    const file = at('hub.log')
    await writeFile(file, `${JSON.stringify({ n: -1, filler: 'y'.repeat(900) })}\n`)
    const writer = openWriter({ file })
    let n = 0
    const full = async (): Promise<boolean> => {
      write(writer, n++)
      await writer.flush()
      return (await readdir(folder.path)).includes('hub.log.2')
    }
    await expect.poll(full, { interval: 1 }).toBe(true)
    for (const last = n + 20; n < last; n++) write(writer, n)
    await writer.flush()
    const names = ['hub.log.2', 'hub.log.1', 'hub.log']
    const numbers = async (): Promise<unknown[]> =>
      (await Promise.all(names.map((name) => linesOf(at(name))))).flat().map(({ n: number }) => number)
    // The last turn may be under way, and between its two steps there is no `hub.log`.
    await expect.poll(async () => (await readdir(folder.path)).sort()).toEqual(names.toReversed())
    await expect
      .poll(async () => {
        const kept = await numbers()
        return kept.length > 20 && kept.every((number, index) => number === n - kept.length + index)
      })
      .toBe(true)
    writer.end()
    expect(problems).toEqual([])
  })

  it('is left alone when somebody else rotates it, and begun anew once that has happened', async () => {
    const file = at('hub.log')
    const writer = openWriter({ file, rotation: 'external' })
    for (let n = 0; n < 30; n++) write(writer, n)
    await writer.flush()
    expect(await readdir(folder.path)).toEqual(['hub.log'])
    await rename(file, at('hub.log-20260101'))
    await expect.poll(async () => (await readdir(folder.path)).includes('hub.log')).toBe(true)
    write(writer, 30)
    await writer.flush()
    expect((await linesOf(file)).map(({ n }) => n)).toEqual([30])

    // The signal that logrotate may send does the same at once.
    await rename(file, at('hub.log-20260102'))
    writer.reopen()
    write(writer, 31)
    await expect.poll(async () => (await linesOf(file)).map(({ n }) => n)).toEqual([31])
    writer.end()
  })

  it('that cannot be opened is told once, and taken up when it can be', async () => {
    await writeFile(at('in-the-way'), '')
    const file = path.join(at('in-the-way'), 'hub.log')
    const writer = openWriter({ file })
    await expect.poll(() => problems.length).toBe(1)
    expect(problems[0]).toMatch(/^The log cannot be written to .*hub\.log: E/)
    expect(() => write(writer, 0)).not.toThrow()
    await rename(at('in-the-way'), at('out-of-it'))
    await mkdir(at('in-the-way'))
    await expect.poll(async () => (await readdir(at('in-the-way'))).length).toBe(1)
    await expect
      .poll(async () => {
        write(writer, 1)
        await writer.flush()
        return (await linesOf(file)).map(({ message }) => message)
      })
      .toContain('The log is written again')
    writer.end()
    expect(problems).toHaveLength(1)
  })

  it('is never renamed where it is no file but a device', async () => {
    const writer = openWriter({ file: '/dev/full' })
    for (let n = 0; n < 30; n++) write(writer, n)
    await expect.poll(() => problems.length).toBe(1)
    expect(problems[0]).toContain('ENOSPC')
    writer.end()
    await appendFile('/dev/full', '').catch(() => undefined)
    expect(await readdir('/dev')).toContain('full')
  })
})

it.each([
  ['10m', 10_485_760],
  ['1.5k', 1_536],
  ['2G', 2_147_483_648],
  ['300', 300],
  ['512kb', 524_288],
  ['0', null],
  ['ten', null],
  ['10 t', null],
])('reads the size %s as %s', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes)
})

it('takes what is set, else the defaults', () => {
  const logging = { level: 'warn', file: '/var/log/a.log', maxFiles: 3, maxSize: '1m', rotation: 'external' } as const
  expect(logSettings(logging)).toEqual({
    level: 'warn',
    file: '/var/log/a.log',
    maxFiles: 3,
    maxBytes: 1_048_576,
    rotation: 'external',
  })
  expect(logSettings({})).toEqual({ level: 'info', file: null, maxFiles: 10, maxBytes: 10_485_760, rotation: 'hub' })
})
