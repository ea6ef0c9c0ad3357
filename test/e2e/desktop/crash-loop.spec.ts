import { expect, test } from '@playwright/test'
import { createBrood } from '../../integration/chaos/processes.ts'
import { launchApp, until } from './app.ts'

/** As many within two minutes as make the app wait for a person. */
const CRASHES = 5

test('a hub that crashes again and again is given up, and none of its servers stays', async () => {
  const brood = createBrood()
  const desktop = await launchApp()
  const { page } = desktop
  const hubPid = (): Promise<number> =>
    page.evaluate(async () => {
      const response = await fetch('/api/hub')
      return response.ok ? ((await response.json()) as { pid: number }).pid : 0
    })
  try {
    await until('the hub answers', async () => (await hubPid()) > 0)
    // It heeds neither the end of its input nor SIGTERM: nobody but who looks for it ends it.
    const deaf = { command: '/bin/sh', args: ['-c', 'trap "" TERM HUP; while :; do sleep 1; done'], env: brood.env }
    await page.evaluate(
      (config) =>
        fetch('/api/servers', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ name: 'deaf', config }),
        }),
      deaf,
    )
    let killed = 0
    for (let crash = 0; crash < CRASHES; crash++) {
      await until('another hub has started the server', async () => {
        const pid = await hubPid()
        return pid > 0 && pid !== killed && brood.living().length > 0
      })
      killed = await hubPid()
      process.kill(killed, 'SIGKILL')
    }
    await until('nothing is left of the server', () => Promise.resolve(brood.living().length === 0))
    expect(await hubPid()).toBe(0)
    await page.getByRole('button', { name: 'Restart hub' }).click()
    await until('a new hub has started the server', async () => (await hubPid()) > 0 && brood.living().length > 0)
    await desktop.app.close()
    await until('nothing is left of the app', () => Promise.resolve(brood.living().length === 0))
  } finally {
    await desktop.dispose()
    brood.end()
  }
})
