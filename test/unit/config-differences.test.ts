import { expect, it } from 'vitest'
import type { Profile, ServerConfig } from '../../hub/contract/index.ts'
import { differencesBetween } from '../../hub/config/push/differences.ts'
import type { PortableConfig } from '../../hub/config/push/portable.ts'

const config = (parts: Partial<PortableConfig>): PortableConfig => ({ servers: {}, profiles: {}, system: {}, ...parts })
const said = (before: Partial<PortableConfig>, after: Partial<PortableConfig>): string[] =>
  differencesBetween(config(before), config(after)).flatMap(({ meanings }) => meanings.map(({ message }) => message))

it('says what an entry of servers.json does otherwise', () => {
  const was: ServerConfig = { command: 'npx', args: ['a'], env: { LEVEL: '1' } }
  const is: ServerConfig = { command: 'npx', args: ['b'], env: { TOKEN: '${secret:T}' }, hub: { enabled: false } }
  expect(said({ servers: { a: was } }, { servers: { a: is } })).toEqual([
    'a is disabled',
    'a runs npx b instead of npx a',
    'a has another env.LEVEL: "1" → none',
    'a has another env.TOKEN: none → "${secret:T}"',
  ])
  expect(said({ servers: { a: was } }, {})).toEqual(['a is removed'])
})

it('says which tools a profile hides and shows', () => {
  const profile = (tools: NonNullable<Profile['servers'][string]['tools']>): Record<string, Profile> => ({
    work: { servers: { github: { tools } } },
  })
  const before = profile({ include: ['a', 'b'], exclude: ['x'], overrides: { a: { name: 'one' } } })
  const after = profile({ include: ['b', 'c'], exclude: ['y'], overrides: { a: { name: 'two' } } })
  expect(said({ profiles: before }, { profiles: after })).toEqual([
    'tool y of github is hidden in profile work',
    'tool a of github is hidden in profile work',
    'tool x of github is shown in profile work',
    'tool c of github is shown in profile work',
    'tool a of github is described otherwise in profile work',
  ])
})

it('names the paths, and says nothing of what is the same', () => {
  const same: ServerConfig = { url: 'https://a.example.com/mcp' }
  const [difference, ...others] = differencesBetween(
    config({ servers: { same }, system: { 'pinning.onChange': 'mark' } }),
    config({ servers: { same }, system: { 'pinning.onChange': 'hold' } }),
  )
  expect(others).toEqual([])
  expect(difference).toMatchObject({
    file: 'system',
    name: 'pinning.onChange',
    kind: 'changed',
    paths: [{ path: '', before: 'mark', after: 'hold' }],
  })
})
