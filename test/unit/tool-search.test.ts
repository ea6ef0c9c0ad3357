import { describe, expect, it } from 'vitest'
import { metaTools } from '../../hub/catalog/meta-tools.ts'
import { loadTokenizer, tokenCost } from '../../hub/catalog/token-cost.ts'
import { createToolSearch, termsOf } from '../../hub/catalog/tool-search.ts'
import { toolCatalogue } from '../fixtures/tool-catalogue.ts'
import { toolQuestions } from '../fixtures/tool-questions.ts'

const tools = toolCatalogue()
const search = createToolSearch(tools, (tool) => String(tool['name']).split('__')[0] ?? '')
const found = (question: string, limit = 5): string[] =>
  search.search(question, limit).map(({ tool }) => String(tool['name']))

describe('tool search over 500 tools', () => {
  it('has the catalogue that it speaks of', () => {
    expect(tools.length).toBeGreaterThanOrEqual(500)
    expect(toolQuestions.length).toBeGreaterThanOrEqual(100)
    const names = new Set(tools.map((tool) => tool['name']))
    expect(toolQuestions.flatMap(([, ...expected]) => expected).filter((name) => !names.has(name))).toEqual([])
  })

  it('finds a fitting tool among the first five for nine of ten questions', () => {
    const missed = toolQuestions.filter(([question, ...expected]) => {
      const names = found(question)
      return !expected.some((name) => names.includes(name))
    })
    const recall = 1 - missed.length / toolQuestions.length
    console.info(
      `recall@5: ${(recall * 100).toFixed(1)} % of ${toolQuestions.length}; missed: ${missed.map(([q]) => q).join(' | ')}`,
    )
    expect(recall).toBeGreaterThanOrEqual(0.9)
  })

  it('costs a client a fiftieth of the whole list', async () => {
    const count = await loadTokenizer()
    const total = (items: typeof tools): number => items.reduce((sum, tool) => sum + tokenCost(tool, count), 0)
    const [whole, searched] = [total(tools), total([...metaTools])]
    console.info(`tokens: ${whole} for ${tools.length} tools, ${searched} with tool search`)
    expect(searched).toBeLessThan(whole / 50)
  })

  it.each(['a', '中', '!', ' ', 'a!'])('is counted in short pieces where a tool says %j without end', (part) => {
    const pieces: string[] = []
    const description = part.repeat(1_000_000)
    const cost = tokenCost({ name: 'endless', description }, (text) => pieces.push(text) && text.length)
    expect(pieces.join('').length).toBe(20_000)
    expect(cost).toBe(JSON.stringify({ name: 'endless', description }).length)
    const runs = pieces.flatMap((piece) => piece.match(/\p{L}+|\s+|[^\s\p{L}\p{N}]+/gu) ?? [])
    expect(Math.max(...runs.map((run) => run.length))).toBeLessThanOrEqual(100)
  })

  it('is the same each time, and bounded', () => {
    expect(found('create', 50)).toEqual(found('create', 50))
    expect(found('create', 3)).toHaveLength(3)
  })
})

describe('a question', () => {
  it.each(['"', 'a AND (b', 'name:x*', '-- drop', '\u0000', '', '!!!'])('%j never breaks the query', (question) => {
    expect(() => search.search(question, 5)).not.toThrow()
  })

  it('of nothing but stop words still asks for them', () => {
    expect(termsOf('what is this').asked).toContain('what')
    expect(termsOf('…')).toEqual({ asked: [], related: [] })
  })

  it('in another script is a question too', () => {
    const chinese = createToolSearch([{ name: 'zh__search', description: '搜索 文件' }], () => 'zh')
    expect(chinese.search('文件', 5)).toHaveLength(1)
  })
})
