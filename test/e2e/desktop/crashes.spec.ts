import { expect, test } from '@playwright/test'
import { createBrood } from '../../integration/chaos/processes.ts'
import { isAlive, launchApp, until, type DesktopApp } from './app.ts'

/** As many within two minutes as make the app wait for a person. */
const CRASHES = 5

/** It heeds neither the end of its input nor SIGTERM: nobody but who looks for it ends it. */
const deafServer = (env: Record<string, string>): object => ({
  command: '/bin/sh',
  args: ['-c', 'trap "" TERM HUP; while :; do sleep 1; done'],
  env,
})

const hubPid = ({ page }: DesktopApp): Promise<number> =>
  page.evaluate(async () => {
    const response = await fetch('/api/hub')
    return response.ok ? ((await response.json()) as { pid: number }).pid : 0
  })

async function addServer({ page }: DesktopApp, config: object): Promise<void> {
  await page.evaluate(
    (entry) =>
      fetch('/api/servers', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ name: 'deaf', config: entry }),
      }),
    config,
  )
}

test('a hub that crashes again and again is given up, and none of its servers stays', async () => {
  const brood = createBrood()
  const desktop = await launchApp()
  const { page } = desktop
  try {
    await until('the hub answers', async () => (await hubPid(desktop)) > 0)
    await addServer(desktop, deafServer(brood.env))
    let killed = 0
    for (let crash = 0; crash < CRASHES; crash++) {
      await until('another hub has started the server', async () => {
        const pid = await hubPid(desktop)
        return pid > 0 && pid !== killed && brood.living().length > 0
      })
      killed = await hubPid(desktop)
      process.kill(killed, 'SIGKILL')
    }
    await until('nothing is left of the server', () => Promise.resolve(brood.living().length === 0))
    expect(await hubPid(desktop)).toBe(0)
    await page.getByRole('button', { name: 'Restart hub' }).click()
    await until(
      'a new hub has started the server',
      async () => (await hubPid(desktop)) > 0 && brood.living().length > 0,
    )
    await desktop.app.close()
    await until('nothing is left of the app', () => Promise.resolve(brood.living().length === 0))
  } finally {
    await desktop.dispose()
    brood.end()
  }
})

test('an app that is killed leaves neither its hub nor a server', async () => {
  const brood = createBrood()
  const desktop = await launchApp()
  try {
    await until('the hub answers', async () => (await hubPid(desktop)) > 0)
    const hub = await hubPid(desktop)
    await addServer(desktop, deafServer(brood.env))
    await until('the server runs', () => Promise.resolve(brood.living().length > 0))
    desktop.app.process().kill('SIGKILL')
    await until('the hub has ended', async () => !(await isAlive(hub)))
    await until('the server has ended', () => Promise.resolve(brood.living().length === 0))
  } finally {
    await desktop.dispose()
    brood.end()
  }
})
