import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, describe, expect, it } from 'vitest'
import type { Account, SignInStarted } from '../../hub/contract/index.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'
import { startAuthorizationServer, type AuthorizationServer } from '../fixtures/oauth/authorization-server.ts'
import { browse } from '../fixtures/oauth/browser.ts'
import { startResourceServer, type ResourceServer } from '../fixtures/oauth/resource-server.ts'

const cleanUp: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

function kept<T extends { close: () => Promise<unknown> }>(part: T): T {
  cleanUp.push(() => part.close())
  return part
}

interface Stage {
  hub: TestHub
  as: AuthorizationServer
  server: ResourceServer
  signIn: (user: string, name?: string) => Promise<void>
  account: (name?: string) => Promise<Account>
  call: (tool: string, name?: string) => Promise<string>
}

async function stage(names = ['guarded']): Promise<Stage> {
  const as = kept(await startAuthorizationServer())
  const server = kept(await startResourceServer(as))
  const hub = kept(await startHub(Object.fromEntries(names.map((name) => [name, { type: 'http', url: server.url }]))))
  const account = async (name = 'guarded'): Promise<Account> => {
    const found = ((await hub.api('GET', '/api/accounts')).body as Account[]).find((each) => each.server === name)
    if (found === undefined) throw new Error(`There is no account of ${name}`)
    return found
  }
  return {
    hub,
    as,
    server,
    account,
    signIn: async (user, name = 'guarded') => {
      const { status, body } = await hub.api('POST', `/api/accounts/${name}/sign-in`, {})
      expect(body).toMatchObject({ authorizationUrl: expect.stringContaining(as.issuer) as string })
      expect(status).toBe(200)
      const page = await browse((body as SignInStarted).authorizationUrl, { user })
      expect(page.text).toContain(`Signed in to ${name}`)
      await hub.until(name, 'running')
    },
    call: async (tool, name = 'guarded') => {
      const client = new Client({ name: 'test', version: '1.0.0' })
      await client.connect(
        new StreamableHTTPClientTransport(new URL(`${hub.url}/mcp/${name}`), {
          requestInit: { headers: hub.headers },
        }),
      )
      try {
        const result = (await client.callTool({ name: tool })) as { content: { text: string }[] }
        return result.content[0]?.text ?? ''
      } finally {
        await client.close()
      }
    },
  }
}

describe('signing in to a remote server', () => {
  it('asks for a person, then serves calls as who signed in', async () => {
    const { hub, as, signIn, account, call } = await stage()
    const waiting = await hub.until('guarded', 'needs-auth')
    expect(waiting.reason).toMatchObject({ code: 'needs-auth', cure: 'Sign in.' })
    await signIn('alice')
    expect(await call('whoami')).toBe('alice')
    expect(await account()).toMatchObject({
      state: 'signed-in',
      issuer: as.issuer,
      scopes: ['mcp:read'],
      renewable: true,
      reason: null,
    })
    expect(as.registrations).toBe(1)
  })
})
