import { appendFile, readdir, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LogLine } from '../../hub/contract/index.ts'
import { createLogFile } from '../../hub/observe/log-file.ts'
import { createLogRing } from '../../hub/observe/log-ring.ts'
import { createRedactor } from '../../hub/observe/redactor.ts'
import { createServerLogs } from '../../hub/observe/server-log.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder.dispose())

const line = (seq: number, text = 'x'.repeat(100)): LogLine => ({ seq, at: seq, stream: 'stderr', level: 'info', text })

describe('a log on disk', () => {
  it('is kept in a few files of bounded size, the newest first', async () => {
    const file = path.join(folder.path, 'deep', 'bounded.jsonl')
    const log = createLogFile({ file, maxBytes: 1_000, maxFiles: 3 })
    for (let seq = 1; seq <= 100; seq++) log.append([line(seq)])
    await log.flush()
    const names = await readdir(path.dirname(file))
    expect(names.toSorted()).toEqual(['bounded.jsonl', 'bounded.jsonl.1', 'bounded.jsonl.2'])
    for (const name of names) expect((await stat(path.join(path.dirname(file), name))).size).toBeLessThan(1_200)
    const firsts: number[] = []
    for await (const texts of log.read()) firsts.push((JSON.parse(texts[0]!) as LogLine).seq)
    expect(firsts).toEqual([...firsts].sort((a, b) => b - a))
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })
  it('that cannot be written harms nobody', async () => {
    const log = createLogFile({ file: path.join(import.meta.filename, 'log'), maxBytes: 1_000, maxFiles: 2 })
    log.append([line(1)])
    await log.flush()
    await log.remove()
  })
})

describe('the log of a server', () => {
  const redactor = createRedactor(['s3cret-value'])
  const open = (name: string) => createServerLogs({ folder: folder.path, redactor }).open(name, () => undefined)
  const texts = async (log: ReturnType<typeof open>, query = {}): Promise<string[]> =>
    (await log.query(query)).lines.map(({ text }) => text)

  it('outlasts the hub, in order, and can be searched by text and level', async () => {
    const first = open('a/b ü.*')
    first.add('stderr', 'error', 'The first failure: s3cret-value')
    first.add('hub', 'info', 'State: running')
    await first.flush()
    const second = open('a/b ü.*')
    second.add('stderr', 'warn', 'A second failure')
    expect(await texts(second)).toEqual(['The first failure: [secret]', 'State: running', 'A second failure'])
    expect(await texts(second, { search: 'FAILURE' })).toEqual(['The first failure: [secret]', 'A second failure'])
    expect(await texts(second, { level: 'error' })).toEqual(['The first failure: [secret]'])
    expect(await texts(second, { search: 'nothing like it' })).toEqual([])
    const [file] = await readdir(folder.path).then((names) => names.filter((name) => name.startsWith('a%2Fb')))
    expect(await readFile(path.join(folder.path, file!), 'utf8')).not.toContain('s3cret')
  })

  it('is read backwards in pages', async () => {
    const log = open('pages')
    for (let index = 1; index <= 25; index++) log.add('stderr', 'info', `line ${index}`)
    const newest = await log.query({ limit: 10 })
    expect(newest.lines.map(({ text }) => text)).toEqual(Array.from({ length: 10 }, (_, index) => `line ${index + 16}`))
    expect(newest.more).toBe(true)
    await log.flush()
    const reopened = open('pages')
    const middle = await reopened.query({ limit: 10, before: newest.lines[0]!.seq })
    expect(middle.lines[0]?.text).toBe('line 6')
    const oldest = await reopened.query({ limit: 10, before: middle.lines[0]!.seq })
    expect(oldest).toMatchObject({ more: false })
    expect(oldest.lines).toHaveLength(5)
  })

  it('reads past a line that was cut off', async () => {
    const log = open('cut')
    log.add('stderr', 'info', 'whole')
    await log.flush()
    await appendFile(path.join(folder.path, 'cut.jsonl'), '{"seq":1,"at"')
    expect(await texts(open('cut'))).toEqual(['whole'])
  })

  it('keeps so many lines a second, and says how many it left out', () => {
    let [now, steady] = [1_000_000_000, 0]
    const log = createLogRing({ redactor, onLines: () => undefined, now: () => now, steady: () => steady })
    for (let index = 0; index < 1_500; index++) log.add('stderr', 'info', `flood ${index}`)
    expect(log.lines().at(-1)?.text).toBe('flood 999')
    // In memory are the newest of them; a server's log has the others on disk.
    expect(log.lines()).toHaveLength(500)
    // Somebody sets the clock back meanwhile.
    now -= 3_600_000
    steady += 1_000
    log.add('stderr', 'info', 'after')
    expect(
      log
        .lines()
        .map(({ text }) => text)
        .slice(-2),
    ).toEqual(['500 lines were left out of the log', 'after'])
  })

  it('goes when the server is not configured any more', async () => {
    const logs = createServerLogs({ folder: folder.path, redactor })
    const log = logs.open('kept', () => undefined)
    log.add('hub', 'info', 'x')
    await log.flush()
    await logs.prune(['kept'])
    expect(await readdir(folder.path)).toEqual(expect.arrayContaining(['kept.jsonl']))
    expect(await readdir(folder.path)).not.toContain('pages.jsonl')
  })
})
