import { describe, expect, it } from 'vitest'
import { definitionHash } from '../../hub/catalog/definition.ts'
import { previewProfile } from '../../hub/catalog/preview.ts'
import { createProfileShape, wholeShape } from '../../hub/catalog/shape.ts'
import { matchesPattern, selects } from '../../hub/contract/index.ts'
import { catalogOfLists, type Item } from '../../hub/upstream/catalog.ts'

const github = { name: 'github', prefix: 'github' }
const tool = (name: string, more: Item = {}): Item => ({ name, description: `does ${name}`, inputSchema: {}, ...more })
const tools = [
  tool('list_issues', { annotations: { readOnlyHint: true } }),
  tool('create_issue'),
  tool('delete_repo', { annotations: { destructiveHint: true } }),
]
const namesOf = (shown: { item: Item }[]): unknown[] => shown.map(({ item }) => item['name'])

describe('a pattern', () => {
  it.each([
    ['create_*', 'create_issue', true],
    ['*_issue', 'create_issue', true],
    ['*issue*', 'list_issues', true],
    ['a*b*c', 'axxbyyc', true],
    ['a*b*c', 'acb', false],
    ['ab*ba', 'aba', false],
    ['create_issue', 'create_issues', false],
    ['*', '', true],
    ['a.c', 'abc', false],
  ])('%s on %s: %s', (pattern, name, expected) => {
    expect(matchesPattern(pattern, name)).toBe(expected)
  })
})

describe('a selection', () => {
  it('takes everything without keys, and lets exclude win', () => {
    expect(selects(undefined, 'x')).toBe(true)
    expect(selects({}, 'x')).toBe(true)
    expect(selects({ include: [] }, 'x')).toBe(false)
    expect(selects({ include: ['*'], exclude: ['delete_*'] }, 'delete_repo')).toBe(false)
  })
})

describe('the shape of all servers', () => {
  it('prefixes tools and leaves resources alone', () => {
    expect(namesOf(wholeShape.show('tools', github, tools))).toEqual([
      'github__list_issues',
      'github__create_issue',
      'github__delete_repo',
    ])
    const resource = { uri: 'file:///a', name: 'a' }
    expect(wholeShape.show('resources', github, [resource])[0]?.item).toBe(resource)
  })
})

describe('the shape of a profile', () => {
  it('shows nothing of servers that it does not name', () => {
    expect(createProfileShape({ servers: {} }).show('tools', github, tools)).toEqual([])
    expect(createProfileShape({ servers: {} }).includes('github')).toBe(false)
    expect(createProfileShape({ servers: {}, otherServers: true }).show('tools', github, tools)).toHaveLength(3)
  })

  it('does not take a server for one of Object’s own properties', () => {
    expect(createProfileShape({ servers: {} }).includes('constructor')).toBe(false)
  })

  it('selects by rule', () => {
    const shape = createProfileShape({ servers: { github: { tools: { readOnly: true } } } })
    expect(namesOf(shape.show('tools', github, tools))).toEqual(['github__list_issues'])
  })

  it('renames, describes and annotates without touching the server’s definition', () => {
    const shape = createProfileShape({
      servers: {
        github: {
          tools: {
            overrides: {
              create_issue: { name: 'new_ticket', description: 'Opens a ticket', annotations: { title: 'T' } },
            },
          },
        },
      },
    })
    const shown = shape.show('tools', github, tools)[1]
    expect(shown?.item).toMatchObject({
      name: 'new_ticket',
      description: 'Opens a ticket',
      annotations: { title: 'T' },
    })
    expect(shown?.original).toBe(tools[1])
    expect(tools[1]).toEqual(tool('create_issue'))
  })
})

describe('the preview of a profile', () => {
  const offer = {
    ...github,
    catalog: catalogOfLists({ tools, prompts: [], resources: [], resourceTemplates: [] }),
  }
  const count = (text: string): number => text.length

  it('counts what the shown tools cost, and what tool search costs instead', () => {
    const plain = previewProfile({ servers: { github: {} } }, [offer], () => true, count)
    const searched = previewProfile({ servers: { github: {} }, toolSearch: true }, [offer], () => true, count)
    expect(plain.tokens).toBe(plain.tools.reduce((sum, { tokens }) => sum + tokens, 0))
    expect(plain.tokens).toBeGreaterThan(0)
    expect(searched.tokensOfAll).toBe(plain.tokens)
    expect(searched.tokens).not.toBe(plain.tokens)
  })

  it('leaves out what is held back', () => {
    const preview = previewProfile({ servers: { github: {} } }, [offer], (_, item) => item !== tools[0], count)
    expect(preview.tools.map(({ name }) => name)).toEqual(['create_issue', 'delete_repo'])
  })

  it('marks what changed upstream since it was overridden', () => {
    const overrides = {
      create_issue: { description: 'mine', basis: definitionHash(tools[1] ?? {}) },
      delete_repo: { description: 'mine', basis: 'another' },
    }
    const { tools: shown } = previewProfile(
      { servers: { github: { tools: { overrides } } } },
      [offer],
      () => true,
      count,
    )
    expect(shown.map(({ overridden, changedUpstream }) => [overridden, changedUpstream])).toEqual([
      [[], false],
      [['description'], false],
      [['description'], true],
    ])
  })

  it('finds names that two tools would share', () => {
    const overrides = { create_issue: { name: 'same' }, delete_repo: { name: 'same' } }
    const preview = previewProfile({ servers: { github: { tools: { overrides } } } }, [offer], () => true, count)
    expect(preview.collisions).toEqual([{ exposedName: 'same', items: ['github/create_issue', 'github/delete_repo'] }])
  })
})

describe('the hash of a definition', () => {
  it('does not depend on the order of keys, but on every word', () => {
    expect(definitionHash({ name: 'a', description: 'b' })).toBe(definitionHash({ description: 'b', name: 'a' }))
    expect(definitionHash({ name: 'a', description: 'b' })).not.toBe(definitionHash({ name: 'a', description: 'b ' }))
    expect(definitionHash({ name: 'a', inputSchema: { b: 1, a: 2 } })).toBe(
      definitionHash({ name: 'a', inputSchema: { a: 2, b: 1 } }),
    )
  })
})
