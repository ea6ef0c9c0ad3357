import type { ToolEntry } from '../../../hub/contract/index.ts'

type Findable = Pick<ToolEntry, 'name' | 'title' | 'server' | 'description'>

/** Every word must occur somewhere in what a person can see of a tool. The order stays the servers' own. */
export function filterTools<T extends Findable>(tools: readonly T[], text: string, server = ''): T[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean)
  if (words.length === 0 && server === '') return [...tools]
  return tools.filter((tool) => {
    if (server !== '' && tool.server !== server) return false
    const haystack = `${tool.name} ${tool.title ?? ''} ${tool.server} ${tool.description ?? ''}`.toLowerCase()
    return words.every((word) => haystack.includes(word))
  })
}
