import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { expect, test } from '@playwright/test'
import { anotherRelease } from '../../fixtures/another-release.ts'
import { deploy, DOMAIN, type Deployment } from '../bundle/deployment.ts'
import { openProofs } from './proofs.ts'
import { timeRollbacks } from './rollbacks.ts'
import { described, LOAD_PROGRAM, underLoad } from './under-load.ts'

/** The real PM2 and nginx, as the bundle's own scripts set them up. */
const proofs = openProofs('PM2')
let deployment: Deployment
test.beforeAll(async () => {
  deployment = await deploy()
})
test.afterAll(async () => {
  await proofs.write()
  await deployment.dispose()
})

test('reloading one hub under load drops no request', async () => {
  const { port } = new URL(deployment.origin)
  const command = [process.execPath, LOAD_PROGRAM, '--port', port, '--name', DOMAIN]
  const pids = new Set([await deployment.hubPid()])
  const result = await underLoad(command, 5, async () => {
    await deployment.pm2('startOrReload', path.join(deployment.root, 'current/pm2/ecosystem.config.cjs'))
    pids.add(await deployment.hubPid())
  })
  proofs.note(
    'pm2 reload of one hub behind nginx, 50 clients that keep their connections, half POST',
    described(result),
  )
  expect(result.dropped).toEqual({})
  expect(pids.size).toBe(result.disturbed + 1)
})

test('the release before is back soon', async () => {
  const other = await anotherRelease(deployment.release, 'another')
  expect(await deployment.ops(other, 'deploy.sh')).toMatchObject({ code: 0 })
  const current = path.join(deployment.root, 'current')
  const measured = await timeRollbacks(async () => {
    const before = await realpath(current)
    expect(await deployment.ops(current, 'rollback.sh')).toMatchObject({ code: 0 })
    expect(await realpath(current)).not.toBe(before)
  })
  proofs.note('ops/rollback.sh of an idle hub, to its very end', measured)
})
