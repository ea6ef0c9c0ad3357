import { test as base, expect } from '@playwright/test'
import { deploy, type Deployment } from '../bundle/deployment.ts'
import { describeNginx } from '../bundle/nginx-behaviour.ts'
import { openProofs } from './proofs.ts'

/** The table of what nginx must do, on a deployment with the real one, a real hub, and a real server behind it. */
const proofs = openProofs('nginx')
const test = base.extend<object, { deployment: Deployment }>({
  deployment: [
    async ({}, use) => {
      const deployment = await deploy()
      await use(deployment)
      await deployment.dispose()
    },
    { scope: 'worker', timeout: 120_000 },
  ],
})
test.describe.configure({ mode: 'serial' })
test.afterAll(() => proofs.write())

describeNginx(test, { full: true, note: proofs.note })

test('a stream outlives five reloads of nginx', async ({ deployment }) => {
  const headers = { authorization: `Bearer ${deployment.environment['MCP_HUB_TOKEN'] ?? ''}` }
  const end = new AbortController()
  const answer = await deployment.fetch(`${deployment.origin}/api/events`, { headers, signal: end.signal })
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  let changes = 0
  for (let reload = 0; reload < 5; reload++) {
    await deployment.reloadNginx()
    const restart = deployment.fetch(`${deployment.origin}/api/servers/everything/restart`, { headers, method: 'POST' })
    let seen = ''
    while (!seen.includes('server.changed')) {
      const { value, done } = await reader.read()
      expect(done, `after reload ${reload + 1}`).toBe(false)
      seen += value ?? ''
    }
    expect((await restart).ok).toBe(true)
    changes++
  }
  end.abort()
  proofs.note('one stream of events across five reloads of nginx', `open; ${changes} of 5 changes arrived`)
})
