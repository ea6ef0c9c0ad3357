import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { json } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { runCli } from '../../hub/cli/main.ts'
import type { PushConfig, PushResult } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

it('config diff sends a hub no setting that it would not take, above all no key', async () => {
  const folder = await temporaryFolder()
  const config = path.join(folder.path, 'config')
  await mkdir(config)
  await writeFile(path.join(config, 'servers.json'), '{ "mcpServers": {} }')
  const key = 'a-signing-key-that-is-written-in-the-clear'
  const sent: PushConfig[] = []
  const hub = createServer((request, response) => {
    void json(request).then((body) => {
      sent.push(body as PushConfig)
      const answer: PushResult = {
        dryRun: true,
        differences: [],
        kept: [],
        missing: [],
        refusal: null,
        push: null,
        etag: '"1"',
      }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
    })
  })
  try {
    await new Promise<void>((resolve) => hub.listen(0, '127.0.0.1', resolve))
    const url = `http://127.0.0.1:${(hub.address() as AddressInfo).port}`
    const keyFile = path.join(folder.path, 'key')
    await writeFile(keyFile, 'mcphub_0123456789ab_x', { mode: 0o600 })
    await writeFile(
      path.join(config, 'system.json'),
      JSON.stringify({
        auth: { jwtSecret: key },
        pinning: { onChange: 'hold' },
        monitoring: { sentryDsn: 'https://hidden@sentry.example.com/1', healthCheckInterval: 60_000 },
      }),
    )
    let [out, err] = ['', '']
    const code = await runCli(['config', 'diff', '--hub', url, '--key-file', keyFile, '--config', config], {
      stdin: new PassThrough(),
      out: (text) => (out += text),
      err: (text) => (err += text),
      env: {},
      distDir: folder.path,
      version: '1.2.3',
      signal: new AbortController().signal,
    })
    expect([code, err]).toEqual([0, ''])
    expect(sent).toMatchObject([
      { system: { pinning: { onChange: 'hold' }, monitoring: { healthCheckInterval: 60_000 } } },
    ])
    expect(JSON.stringify(sent)).not.toMatch(/a-signing-key|hidden/)
    expect(out).toContain('Settings that stay as they are at the hub: auth.jwtSecret, monitoring.sentryDsn')
  } finally {
    hub.close()
    await folder.dispose()
  }
})
