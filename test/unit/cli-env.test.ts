import { describe, expect, it } from 'vitest'
import { parseEnv } from 'node:util'
import { completeEnvironment } from '../../hub/cli/env.ts'

const example = `# head

# Signs sessions.
JWT_SECRET=

# For clients.
MCP_HUB_TOKEN=

# github: env.GITHUB_TOKEN
GITHUB_TOKEN=
`
const generate = (): string => 'generated'

describe('completing the .env of a target', () => {
  it('generates keys in a new one and leaves the rest for a person', () => {
    const { text, generated } = completeEnvironment(example, null, generate)
    expect(parseEnv(text)).toEqual({ JWT_SECRET: 'generated', MCP_HUB_TOKEN: 'generated', GITHUB_TOKEN: '' })
    expect(generated).toEqual(['JWT_SECRET', 'MCP_HUB_TOKEN'])
  })

  it('keeps every line that is there, and adds only what is missing', () => {
    const before = `# mine\nJWT_SECRET="kept # as it is"\nEXTRA=1`
    const { text, generated } = completeEnvironment(example, before, generate)
    expect(text.startsWith(before)).toBe(true)
    expect(parseEnv(text)).toEqual({
      JWT_SECRET: 'kept # as it is',
      EXTRA: '1',
      MCP_HUB_TOKEN: 'generated',
      GITHUB_TOKEN: '',
    })
    expect(text).toContain('# For clients.\nMCP_HUB_TOKEN=generated')
    expect(generated).toEqual(['MCP_HUB_TOKEN'])
  })

  it('neither adds nor generates what is given as a file', () => {
    const before =
      'JWT_SECRET_FILE=/run/secrets/jwt\nMCP_HUB_TOKEN_FILE=/run/secrets/token\nMCP_HUB_TOKEN=\nGITHUB_TOKEN=x\n'
    expect(completeEnvironment(example, before, generate)).toEqual({ text: before, generated: [] })
    expect(() => completeEnvironment(example, before, generate, ['JWT_SECRET'])).toThrow('/run/secrets/jwt')
  })

  it('changes nothing in a complete one', () => {
    const { text } = completeEnvironment(example, null, generate)
    expect(completeEnvironment(example, text, generate)).toEqual({ text, generated: [] })
  })
})
