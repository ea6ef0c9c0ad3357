import { readFileSync } from 'node:fs'
import path from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { wordingOfIssue, wordsIn, type Wordings } from '../../hub/contract/index.ts'
import { HubError } from '../../hub/hub-error.ts'
import { wordsOfScript } from '../../hub/publish/push/script-words.ts'
import { Said, say, saying, told, wordsFrom } from '../../hub/say.ts'
import { hubText, setHubTexts } from '../../renderer/lib/hub-text.ts'
import { issueText } from '../../renderer/lib/issue-text.ts'
import zhCN from '../../renderer/locales/hub.zh-CN.json' with { type: 'json' }
import { hubCodes } from '../fixtures/hub-codes.ts'

const codes = hubCodes()
const chinese = new Map(Object.entries(zhCN))
const paramsOf = (text: string): Set<string> => new Set([...text.matchAll(/\{(\d+)\}/g)].map(([whole]) => whole))

describe('the texts of the hub in Chinese', () => {
  it('have one for each code, and none besides', () => {
    expect([...codes].filter((code) => !chinese.has(code))).toEqual([])
    expect([...chinese.keys()].filter((code) => !codes.has(code))).toEqual([])
  })

  it('take no parameter that the code does not have', () => {
    expect([...chinese].filter(([code, text]) => !paramsOf(text).isSubsetOf(paramsOf(code)))).toEqual([])
  })

  it('are Chinese, with the punctuation of Chinese', () => {
    expect(
      [...chinese.values()].filter((text) => !/\p{Script=Han}/u.test(text) && !/^[{}\d（）：]+$/.test(text)),
    ).toEqual([])
    expect(
      [...chinese.values()].filter((text) => /\p{Script=Han}[,;:?!()]|[,;!]\s?\p{Script=Han}/u.test(text)),
    ).toEqual([])
  })
})

const NO_JSON = [
  ...['', '{', '{a', '{"a"', '{"a":', '{"a":1', '{"a":1,}', '[1', '[1,]', '[1}', '"abc', '"a\nb"', '"\\x"', '"\\u12x"'],
  ...['-', '1.', '1ex', '{} x', 'undefined', 'npx', '01', "{'a':1}", '{"command": npx\n}', '+1', '{"a" "b"}'],
  `[${'1,'.repeat(40)}x${',1'.repeat(40)}]`,
]

it.each(NO_JSON)('what JSON.parse says of %j has its words in Chinese, with the place', (text) => {
  let message = ''
  try {
    JSON.parse(text)
  } catch (error) {
    message = (error as SyntaxError).message
  }
  const place = /line (\d+) column (\d+)/.exec(message)
  const words = wordsIn(zhCN, wordingOfIssue({ message }))
  expect(words).toMatch(/\p{Script=Han}/u)
  if (place !== null) expect(words).toContain(`第 ${place[1]} 行第 ${place[2]} 列`)
})

/** What a script tells as a step, or ends with, with § in the place of what only the target knows. */
function messagesOf(script: string): string[] {
  const file = path.join(import.meta.dirname, '..', '..', 'resources', 'publish', 'ops', script)
  const calls = readFileSync(file, 'utf8').matchAll(
    /(?:\bstep \w+|\bok|\breport failed|\bdie \d+) (?:'([^']+)'|"((?:\$\([^)]*\)|[^"])+)")/g,
  )
  return [...calls]
    .map(([, plain, filled = '']) => plain ?? filled.replace(/\$\((?:[^()]|\([^)]*\))*\)|\$\{[^}]*\}|\$\w+/g, '§'))
    .filter((message) => /\p{L}{2}/u.test(message))
}

describe('what the scripts of a bundle tell', () => {
  it.each(['deploy.sh', 'rollback.sh'])('%s in words that the hub knows', (script) => {
    const messages = messagesOf(script)
    expect(messages.length).toBeGreaterThan(5)
    // Each hub has a list of releases of its own; what rollback.sh says of one that is not there, the hub says before.
    const own = messages.filter((message) => !/^There is no (?:hub|release)/.test(message))
    expect(own.filter((message) => !(wordsOfScript(message) instanceof Said))).toEqual([])
  })

  it('is passed on as it comes where they do not', () => {
    expect(wordsOfScript('A step of another release')).toBe('A step of another release')
    expect(wordsOfScript('Turning /opt/current to 1.2.0')).toMatchObject({
      text: 'Turning /opt/current to 1.2.0',
      wording: { code: 'Turning {0} to {1}', params: ['/opt/current', '1.2.0'] },
    })
  })
})

describe('what the hub says', () => {
  afterEach(() => setHubTexts({}))

  it('goes out as its English, with what it was made of beside it', () => {
    const cause = saying('the module {0} is missing')('left-pad')
    const reason = told({ code: 'exited', message: say`It ended with ${1}: ${cause}`, cure: 'as it was written' })
    expect(reason).toEqual({
      code: 'exited',
      message: 'It ended with 1: the module left-pad is missing',
      cure: 'as it was written',
      said: {
        message: {
          code: 'It ended with {0}: {1}',
          params: ['1', { code: 'the module {0} is missing', params: ['left-pad'] }],
        },
      },
    })
    expect(told({ message: 'plain' })).toEqual({ message: 'plain' })
  })

  it('is worded by the page in its language, also where one text stands within another', () => {
    const reason = told({ message: say`It ended with ${1}: ${say`the module ${'left-pad'} is missing`}` })
    expect(hubText(reason, 'message')).toBe('It ended with 1: the module left-pad is missing')
    setHubTexts({ 'It ended with {0}: {1}': '{1}，所以以 {0} 结束', 'the module {0} is missing': '缺少模块 {0}' })
    expect(hubText(reason, 'message')).toBe('缺少模块 left-pad，所以以 1 结束')
    const deep = told({
      message: say`It ended with ${1}: ${say`left out: ${say`the module ${say`called ${'x'}`} is missing`}`}`,
    })
    setHubTexts({ 'It ended with {0}: {1}': '{1}（{0}）', 'left out: {0}': '省略：{0}', 'called {0}': '名为 {0}' })
    expect(hubText(deep, 'message')).toBe('省略：the module called x is missing（1）')
    setHubTexts({
      ...{ 'It ended with {0}: {1}': '{1}（{0}）', 'left out: {0}': '省略：{0}' },
      ...{ 'called {0}': '名为 {0}', 'the module {0} is missing': '缺少{0}的模块' },
    })
    expect(hubText(deep, 'message')).toBe('省略：缺少名为 x的模块（1）')
    expect(hubText(told({ again: wordsFrom(deep, 'message') }), 'again')).toBe('省略：缺少名为 x的模块（1）')
    const plain: { message: string; said?: Wordings } = { message: 'without a wording' }
    expect(hubText(plain, 'message')).toBe('without a wording')
  })

  it('is shown as it came where a newer hub says what the page does not know', () => {
    setHubTexts({ known: '已知' })
    expect(hubText(told({ message: say`Something ${'new'}` }), 'message')).toBe('Something new')
    expect(hubText({ message: 'x', said: { message: { code: 'constructor', params: [] } } }, 'message')).toBe('x')
  })

  it('keeps a parameter as it is, whatever it looks like', () => {
    setHubTexts({ 'No {0} in {1}': '{1} 中没有 {0}' })
    expect(hubText(told({ message: say`No ${'{1} $& {0}'} in ${'$1'}` }), 'message')).toBe('$1 中没有 {1} $& {0}')
  })

  it('is told on by an error and by whoever passes it on', () => {
    const error = new HubError('HUB_NOT_FOUND', say`There is no ${'thing'}`, { cure: say`Look elsewhere.` })
    expect(error.message).toBe('There is no thing')
    const again = told({ detail: wordsFrom(error, 'message'), cure: wordsFrom(error, 'cure') })
    expect(again.said).toEqual({ detail: error.said?.['message'], cure: error.said?.['cure'] })
    expect(wordsFrom(new HubError('HUB_NOT_FOUND', 'plain'), 'message')).toBe('plain')
    expect(new Said('a {0}', [again.detail]).text).toBe('a There is no thing')
  })

  it('and what a schema says, here or there, has the same words', () => {
    setHubTexts({ 'Invalid input: expected {0}, received {1}': '应为 {0}，收到 {1}', 'a user name': '应为用户名' })
    expect(issueText({ message: 'Invalid input: expected string, received undefined' })).toBe(
      '应为 string，收到 undefined',
    )
    expect(issueText({ message: 'a user name' })).toBe('应为用户名')
  })
})
