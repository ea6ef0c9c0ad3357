import os from 'node:os'
import { expect, test } from '@playwright/test'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { makeKey, startSshd } from '../../fixtures/sshd.ts'
import { freePort, launchApp } from './app.ts'

test('a target is saved, what keeps from reaching it is told, and then a real server is asked what a push would change', async () => {
  test.setTimeout(120_000)
  const folder = await temporaryFolder()
  const key = makeKey(folder.path, 'user_key')
  const sshd = await startSshd(folder.path, { keys: [key] })
  const desktop = await launchApp()
  try {
    const { page, violations } = desktop
    await page.getByRole('link', { name: 'Publish', exact: true }).click()
    await page.getByRole('main').getByRole('link', { name: 'New target' }).last().click()
    await page.getByLabel('Domain').fill('mcp.example.org')
    await page.getByText('Ports, folder and log level').click()
    await page.getByLabel('Folder on the target').fill(`${folder.path}/installed`)
    await page.getByRole('button', { name: 'Next' }).click()
    await page.getByLabel('Host', { exact: true }).fill(sshd.host)
    await page.getByLabel('Port', { exact: true }).fill(String(await freePort()))
    await page.getByLabel('User', { exact: true }).fill(os.userInfo().username)
    await page.getByText('Key file', { exact: true }).click()
    await page.getByLabel('Private key').fill(key)
    await page.getByRole('button', { name: 'Next' }).click()
    await expect(page.getByRole('navigation', { name: 'Preview' })).toBeVisible({ timeout: 20_000 })
    await page.getByRole('button', { name: 'Save target' }).click()
    await expect(page.getByRole('heading', { name: 'mcp.example.org', level: 1 })).toBeVisible()

    const push = page.getByRole('region', { name: 'Push to mcp.example.org' })
    await page.getByRole('button', { name: 'Push…' }).click()
    await expect(push.getByRole('alert')).toContainText('The push failed', { timeout: 30_000 })
    await expect(push.getByRole('alert')).toContainText('HUB_TARGET_UNREACHABLE')

    await page.getByRole('link', { name: 'Settings', exact: true }).last().click()
    await page.getByLabel('Port', { exact: true }).fill(String(sshd.port))
    await page.getByRole('button', { name: 'Save target' }).click()
    await page.getByRole('navigation', { name: 'Parts of the target' }).getByRole('link', { name: 'Publish' }).click()
    await page.getByRole('button', { name: 'Compare' }).click()
    const compare = page.getByRole('region', { name: 'Compare with mcp.example.org' })
    await expect(compare).toContainText(`Is this ${sshd.host}:${String(sshd.port)}?`, { timeout: 20_000 })
    await expect(compare).toContainText('SHA256:')
    // It goes on while somebody looks at something else.
    await page.getByRole('link', { name: 'Publish', exact: true }).first().click()
    await expect(page.getByRole('row').filter({ hasText: 'mcp.example.org' })).toContainText('Under way')
    await page.getByRole('link', { name: 'mcp.example.org' }).click()
    await compare.getByRole('button', { name: 'It is: connect' }).click()
    await expect(compare).toContainText('This is what a push would change.', { timeout: 30_000 })
    await expect(compare).toContainText('Nothing is installed')
    expect(violations).toEqual([])
  } finally {
    await desktop.dispose()
    await sshd.close()
    await folder.dispose()
  }
})
