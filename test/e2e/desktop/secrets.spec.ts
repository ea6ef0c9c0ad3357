import { readFile, readdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { expect, test, type Page } from '@playwright/test'
import type { Secrets } from '../../../hub/contract/index.ts'
import { launchApp, until } from './app.ts'

const VALUE = 'kept-by-the-app-4711'

async function secretsOf(page: Page): Promise<Secrets> {
  return page.evaluate(async () => (await (await fetch('/api/secrets')).json()) as Secrets)
}

test('a secret given to the hub is kept by the app, and without a keychain it says where', async () => {
  const desktop = await launchApp()
  try {
    const { page, userData } = desktop
    const vault = path.join(userData, 'vault.json')
    await until('the hub answers', () => page.evaluate(async () => (await fetch('/api/secrets')).ok))
    // Xvfb has no keyring: the app must not pretend to have one.
    expect(await secretsOf(page)).toEqual({ quality: 'file', location: vault, secrets: [] })
    await page.getByRole('link', { name: 'Settings', exact: true }).click()
    const section = page.getByRole('region', { name: 'Secrets' })
    await expect(section).toContainText('It is not encrypted')
    await expect(section).toContainText(vault)
    const status = await page.evaluate(
      async (value) =>
        (
          await fetch('/api/secrets/APP_TOKEN', {
            method: 'PUT',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ value }),
          })
        ).status,
      VALUE,
    )
    expect(status).toBe(201)
    expect((await stat(vault)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(vault, 'utf8'))).toMatchObject({ secrets: { APP_TOKEN: VALUE } })

    // A hub that is started anew has it from the app again.
    const before = await page.evaluate(async () => ((await (await fetch('/api/hub')).json()) as { pid: number }).pid)
    process.kill(before, 'SIGKILL')
    await until('another hub answers', () =>
      page.evaluate(async (pid) => {
        const answer = await fetch('/api/hub')
        return answer.ok && ((await answer.json()) as { pid: number }).pid !== pid
      }, before),
    )
    expect((await secretsOf(page)).secrets).toMatchObject([{ name: 'APP_TOKEN', source: 'vault' }])

    expect(await page.evaluate(async () => (await fetch('/api/secrets/APP_TOKEN', { method: 'DELETE' })).status)).toBe(
      204,
    )
    expect(await readFile(vault, 'utf8')).not.toContain(VALUE)
    expect((await readdir(userData)).filter((name) => name.startsWith('vault'))).toEqual(['vault.json'])
  } finally {
    await desktop.dispose()
  }
})
