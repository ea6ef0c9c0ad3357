import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { expect, it } from 'vitest'
import { createAccountService } from '../../hub/upstream/oauth/service.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'

it('an answer to a sign-in whose account cannot be read is answered as a fault of the hub, which goes on', async () => {
  const folder = await temporaryFolder()
  const logged: string[] = []
  const ignore = (): void => undefined
  const service = createAccountService({
    dir: folder.path,
    key: null,
    know: ignore,
    baseUrl: () => null,
    placeOf: () => null,
    servers: () => [],
    onChange: ignore,
    onSignedIn: ignore,
    onSignedOut: ignore,
    log: (_level, message) => logged.push(message),
  })
  await service.open()
  const key = 'a'.repeat(32)
  await mkdir(path.join(folder.path, `${key}.account`))
  const server = createServer((request, response) => service.serve(request, response, '/oauth/callback'))
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const { status } = await fetch(`http://127.0.0.1:${port}/oauth/callback?state=${key}`)
    expect(status).toBe(500)
    expect(logged).toEqual(['A sign-in cannot be answered'])
  } finally {
    service.close()
    server.close()
    await folder.dispose()
  }
})
