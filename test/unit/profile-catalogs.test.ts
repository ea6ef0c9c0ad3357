import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { capabilityProfile } from '../../hub/gateway/call.ts'
import { emptyCatalog } from '../../hub/upstream/catalog.ts'
import type { ServerHello } from '../../hub/upstream/handshake.ts'
import { createProfileCatalogs } from '../../hub/upstream/profile-catalogs.ts'

const profile = capabilityProfile({ elicitation: {} })
const hello: ServerHello = {
  era: 'modern',
  version: '2026-07-28',
  capabilities: { tools: { listChanged: true } },
  serverInfo: null,
  instructions: null,
}

it('a change that is told while a profile is read for the first time is read as well', async () => {
  const answers: ((name: string) => void)[] = []
  const request = (): Promise<unknown> =>
    new Promise((resolve) => answers.push((name) => resolve({ tools: [{ name, inputSchema: { type: 'object' } }] })))
  const profiles = createProfileCatalogs({
    connection: { hello, request },
    plain: () => emptyCatalog,
    warn: () => undefined,
    onFound: () => undefined,
  })
  const first = profiles.of(profile)
  const changed = profiles.refresh(['tools'])
  answers.shift()?.('before')
  await first
  for (let turns = 0; answers.length === 0 && turns < 20; turns++) await turn()
  answers.shift()?.('after')
  expect(await changed).toBe(true)
  expect((await profiles.of(profile)).lists.tools.map(({ name }) => name)).toEqual(['after'])
})
