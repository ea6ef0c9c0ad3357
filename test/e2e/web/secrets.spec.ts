import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, test, type Page } from '@playwright/test'
import { PASSWORD, startWebHub, type WebHub } from './hub.ts'

const echo = path.join(import.meta.dirname, '..', '..', 'fixtures', 'mcp-servers', 'echo.ts')
let hub: WebHub
test.beforeAll(async () => {
  hub = await startWebHub({
    waiting: { command: process.execPath, args: [echo], env: { KEY: '${secret:NOT_SET_YET}' } },
  })
})
test.afterAll(() => hub.close())

async function signIn(page: Page): Promise<void> {
  await page.goto(`${hub.url}/login`)
  await page.getByLabel('User name').fill('admin')
  await page.getByLabel('Password', { exact: true }).fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page).toHaveURL(`${hub.url}/`)
}
const onDisk = (): Promise<string> => readFile(path.join(hub.configDir, 'servers.json'), 'utf8')

test('a pasted secret is shown before it is moved into the vault, and may stay where it is', async ({ page }) => {
  await signIn(page)
  await page.goto(`${hub.url}/servers/add`)
  const entry = {
    command: process.execPath,
    args: [echo],
    env: { API_TOKEN: 'goes-into-the-vault', OLD_KEY: 'stays-in-the-file' },
  }
  await page.getByLabel('Configuration, command or URL').fill(JSON.stringify({ pasted: entry }))
  await page.getByRole('button', { name: 'Review', exact: true }).click()

  const found = page.getByRole('region', { name: 'These values are kept in the vault' })
  await expect(found.getByRole('listitem')).toHaveCount(2)
  await expect(found).toContainText('${secret:PASTED_API_TOKEN}')
  await expect(found).toContainText('It is not encrypted')
  await found.getByRole('switch', { name: 'Keep env.OLD_KEY in the vault' }).click()
  await expect(found).toContainText('It stays in the configuration file')
  await page.getByRole('button', { name: 'Add server', exact: true }).click()
  await expect(page).toHaveURL(`${hub.url}/servers/pasted`)
  expect(await onDisk()).toContain('"API_TOKEN": "${secret:PASTED_API_TOKEN}"')
  expect(await onDisk()).toContain('stays-in-the-file')
  expect(await onDisk()).not.toContain('goes-into-the-vault')

  // The change of an entry shows the same, and the difference as the file will have it.
  await page.goto(`${hub.url}/servers/pasted/settings`)
  await page.getByRole('textbox', { name: 'Value of OLD_KEY' }).fill('goes-there-too')
  await page.getByRole('button', { name: 'Review and save' }).click()
  const review = page.getByRole('dialog')
  await expect(review.getByRole('region', { name: 'This value is kept in the vault' })).toBeVisible()
  await expect(review).not.toContainText('goes-there-too')
  await review.getByRole('button', { name: 'Save' }).click()
  await expect(review).toBeHidden()
  await expect.poll(onDisk).toContain('"OLD_KEY": "${secret:PASTED_OLD_KEY}"')
})

test('Settings lists the secrets, takes the value of a missing one, and warns before one that is used is deleted', async ({
  page,
}) => {
  await signIn(page)
  await page.goto(`${hub.url}/settings`)
  const section = page.getByRole('region', { name: 'Secrets' })
  const row = section.getByRole('listitem').filter({ hasText: 'NOT_SET_YET' })
  await expect(row).toContainText('no value')
  await row.getByRole('button', { name: 'Set the value of NOT_SET_YET' }).click()
  await page.getByRole('dialog').getByLabel('Value').fill('a value at last')
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await expect(page.getByText('Restarted: waiting')).toBeVisible()
  await expect(row).not.toContainText('no value')
  await expect(page.locator('body')).not.toContainText('a value at last')

  await row.getByRole('button', { name: 'Delete NOT_SET_YET' }).click()
  await expect(page.getByRole('dialog').getByRole('alert')).toContainText('waiting uses this secret')
  await page.getByRole('dialog').getByRole('button', { name: 'Delete anyway' }).click()
  await expect(row).toContainText('no value')
})

test('the diagnostics are one press away', async ({ page }) => {
  await signIn(page)
  await page.goto(`${hub.url}/settings`)
  const download = page.waitForEvent('download')
  await page.getByRole('link', { name: 'Diagnostics' }).click()
  expect((await download).suggestedFilename()).toMatch(/^mcp-hub-diagnostics-.*\.tar\.gz$/)
})
