import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseJsonc } from '../../hub/config/jsonc.ts'
import { parseServersFile } from '../../hub/config/parse-servers.ts'
import { plainServers } from '../../hub/config/plain-servers.ts'

const oddText = fc.constantFrom(
  '',
  'a',
  'A b',
  'a\0b',
  '__proto__',
  'x=y',
  'ftp://h',
  'http://h/x',
  'https://u:p@h',
  '${env:A}',
)
const names = fc.oneof(
  fc.constantFrom('a', 'a-b', 'a_b', 'a b', '远程', '.', 'x'.repeat(65)),
  fc.string({ maxLength: 4 }),
)
const oddValue = fc.oneof(oddText, fc.constant(null), fc.boolean(), fc.integer(), fc.array(oddText, { maxLength: 2 }))
const keys = fc.constantFrom('type', 'command', 'args', 'env', 'cwd', 'url', 'headers', 'hub', 'disabled', 'x')
const entries = fc.oneof(
  fc.record({ command: oddText, args: fc.array(oddText), env: fc.dictionary(oddText, oddText) }, { requiredKeys: [] }),
  fc.record({
    type: fc.constantFrom('http', 'sse', 'stdio', 'ws'),
    url: oddText,
    headers: fc.dictionary(names, oddText),
  }),
  fc.dictionary(keys, oddValue),
  oddValue,
)

it('passes nothing that the schemas refuse, and changes nothing', () => {
  let passed = 0
  fc.assert(
    fc.property(fc.dictionary(names, entries, { maxKeys: 3 }), (mcpServers) => {
      const text = JSON.stringify({ mcpServers })
      const document = parseJsonc(text, null)
      const plain = document.ok ? plainServers(document.value.value) : null
      if (plain === null) return
      passed++
      expect(parseServersFile(text, null)).toEqual({ ok: true, value: plain })
    }),
    { numRuns: 3_000 },
  )
  expect(passed).toBeGreaterThan(100)
})

it('knows what clients usually write, and leaves the rest to the schemas', () => {
  const program = { command: 'npx', args: ['-y', 'x'], env: { TOKEN: '${secret:TOKEN}' } }
  const address = { type: 'http', url: 'https://example.com/mcp', headers: { authorization: 'Bearer x' } }
  expect(plainServers({ mcpServers: { a: program, b: address } })).not.toBeNull()
  expect(plainServers({ mcpServers: { a: { ...program, hub: { enabled: false } } } })).toBeNull()
  expect(plainServers({ mcpServers: { 'a-b': program, 'A-b': program } })).toBeNull()
})
