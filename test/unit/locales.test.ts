import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { createI18n } from 'vue-i18n'
import * as contract from '../../hub/contract/index.ts'
import desktopEn from '../../renderer/locales/desktop.en.json' with { type: 'json' }
import desktopZh from '../../renderer/locales/desktop.zh-CN.json' with { type: 'json' }
import en from '../../renderer/locales/en.json' with { type: 'json' }
import hubZh from '../../renderer/locales/hub.zh-CN.json' with { type: 'json' }
import zhCN from '../../renderer/locales/zh-CN.json' with { type: 'json' }
import { exitReasons, snippetKinds } from '../../preload/contract.ts'

interface Messages {
  [key: string]: string | Messages
}

function flatten(messages: Messages, prefix = ''): Map<string, string> {
  return new Map(
    Object.entries(messages).flatMap(([key, value]) =>
      typeof value === 'string' ? [[prefix + key, value] as const] : [...flatten(value, `${prefix}${key}.`)],
    ),
  )
}

const english = flatten(en)
const chinese = flatten(zhCN)

const root = path.join(import.meta.dirname, '..', '..', 'renderer')
const sources = globSync('**/*.{ts,vue}', { cwd: root }).map((file) => ({
  file,
  text: readFileSync(path.join(root, file), 'utf8'),
}))

/** The text between the parentheses of each `t(…)`. */
function callsOf(text: string): string[] {
  return [...text.matchAll(/(?<![\w.$])(?:i18n\.)?t\(/g)].map(({ index, 0: { length } }) => {
    let depth = 1
    let end = index + length
    for (; depth > 0 && end < text.length; end++) depth += text[end] === '(' ? 1 : text[end] === ')' ? -1 : 0
    return text.slice(index + length, end - 1)
  })
}

const literals = (text: string): string[] => [...text.matchAll(/'([\w-]+(?:\.[\w-]+)+)'/g)].map(([, key = '']) => key)
/** `state.${x}` as the pattern of the keys that it may become. */
const patterns = (text: string): RegExp[] =>
  [...text.matchAll(/`([\w-]+\.[^`]*?)`/g)].map(
    ([, template = '']) =>
      new RegExp(
        `^${template
          .split(/\$\{(?:[^{}]|\{[^}]*\})*\}/)
          .map((part) => part.replaceAll('.', '\\.'))
          .join('[\\w-]+')}$`,
      ),
  )

describe('the keys of the page', () => {
  it('exist, wherever one is asked for', () => {
    const missing = sources.flatMap(({ file, text }) =>
      callsOf(text).flatMap((call) => [
        ...literals(call)
          .filter((key) => key.split('.')[0]! in en && !english.has(key))
          .map((key) => `${file}: ${key}`),
        ...patterns(call)
          .filter((pattern) => ![...english.keys()].some((key) => pattern.test(key)))
          .map((pattern) => `${file}: ${pattern.source}`),
      ]),
    )
    expect(missing).toEqual([])
  })

  it('exist for the names of pages, which are translated where they are shown', () => {
    const names = sources.flatMap(({ text }) => [...text.matchAll(/(?:title|label): '(\w+\.[\w.]+)'/g)])
    expect(names.length).toBeGreaterThan(10)
    expect(names.map(([, key = '']) => key).filter((key) => !english.has(key))).toEqual([])
  })

  it('are all used', () => {
    const all = sources.map(({ text }) => text).join('\n')
    const used = new Set(literals(all))
    const dynamic = patterns(all)
    const unused = [...english.keys()].filter((key) => !used.has(key) && !dynamic.some((pattern) => pattern.test(key)))
    expect(unused).toEqual([])
  })

  it.each<[string, readonly string[]]>([
    ['state', contract.serverStates],
    ['transport', contract.serverStatusSchema.shape.transport.options],
    ['hubProcess.exit', exitReasons],
    ['endpoint.state', contract.endpointSchema.shape.state.options],
    ['endpoint.kind', snippetKinds],
    ['settings.mcpAuthState', contract.hubStatusSchema.shape.mcpAuth.options],
    ['settings.about.modes', contract.hubStatusSchema.shape.mode.options],
    ['publish.severity', contract.findingSchema.shape.severity.options],
    ['publish.outcome', contract.checkSchema.shape.outcome.options],
    ['publish.modes', contract.targetSchema.shape.mode.unwrap().options],
    ['publish.service', contract.targetServices],
    ['server.eras', contract.eraSchema.options],
    ['secrets.quality', contract.vaultQualitySchema.options],
    ['secrets.source', contract.secretSourceSchema.options],
  ])('name each %s that the hub can answer', (prefix, values) => {
    expect(values.filter((value) => !english.has(`${prefix}.${value}`))).toEqual([])
  })
})

describe('the two languages', () => {
  /** What a message takes, apart from the count that every plural has. */
  const placeholders = (message: string): string[] =>
    [...new Set([...message.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name))]
      .filter((name) => name !== 'n')
      .toSorted()

  it('have the same keys', () => {
    expect([...chinese.keys()].toSorted()).toEqual([...english.keys()].toSorted())
    expect(Object.keys(flatten(desktopZh))).toEqual(Object.keys(flatten(desktopEn)))
  })

  it('say the same in as many forms and with the same placeholders', () => {
    const differ = [...english].filter(([key, message]) => {
      const other = chinese.get(key) ?? ''
      const forms = (text: string): number => text.split(' | ').length
      return forms(message) !== forms(other) || placeholders(message).join() !== placeholders(other).join()
    })
    expect(differ).toEqual([])
  })

  it('use one word for one thing, on the page and in the tray', () => {
    for (const state of contract.serverStates) expect(zhCN.state[state]).toBe(desktopZh.state[state])
    expect(zhCN.servers.restart).toBe(desktopZh.restart)
    expect(zhCN.endpoint.copy).toBe(desktopZh.copyEndpoint)
  })

  it.each([
    ['en', english],
    ['zh-CN', chinese],
  ] as const)('%s can be read by the library in each message', (locale, messages) => {
    const i18n = createI18n({ legacy: false, locale, messages: { en, 'zh-CN': zhCN }, missingWarn: false })
    const t = i18n.global.t as (key: string, named: object, plural: number) => string
    for (const [key, message] of messages) {
      const named = Object.fromEntries(placeholders(message).map((name) => [name, `<${name}>`]))
      const text = t(key, named, 2)
      expect(text, key).not.toMatch(/\||\{'|(?<!\$)\{\w+\}/)
      for (const name of placeholders(message.split(' | ').at(-1)!)) expect(text, key).toContain(`<${name}>`)
    }
  })

  it.each([
    ['你', /您/],
    ['密钥库', /保险库/],
    ['API 密钥', /访问密钥/],
    ['协议世代', /协议时代/],
    ['跟踪', /追踪/],
    ['部署包', /发布包/],
    ['本机', /这台电脑|这台计算机/],
    ['Hub', /(?<![A-Za-z.\-/“])hub(?![A-Za-z.\-])/],
    ['密钥, and 机密 for nothing', /机密/],
    ['token, where a model counts them', /令牌数|个令牌/],
  ])('Chinese says %s', (_word, other) => {
    const texts = [...chinese, ...flatten(desktopZh), ...Object.entries(hubZh)]
    // A host’s key is 主机密钥, too.
    expect(texts.filter(([, text]) => other.test(text.replaceAll('主机密钥', '')))).toEqual([])
  })

  it('Chinese says 提示词 of a prompt', () => {
    const ofPrompts = [...flatten(zhCN.offers.prompts)].filter(([, text]) => /提示(?!词)/.test(text))
    expect(ofPrompts).toEqual([])
  })

  it('English and Chinese are not mixed up', () => {
    expect([...english].filter(([, message]) => /\p{Script=Han}/u.test(message))).toEqual([])
    const names =
      /^(MCP Hub|JSON|Cursor|VS Code|PM2|Docker|systemd|Kubernetes|Let’s Encrypt|URL|HTTP|SSE|stdio|null|Null|true|false|Streamable HTTP|npx .*|mcpServers JSON|(\{\w+\}[：，。]?)+)$/
    expect([...chinese].filter(([, message]) => !/\p{Script=Han}/u.test(message) && !names.test(message))).toEqual([])
  })
})
