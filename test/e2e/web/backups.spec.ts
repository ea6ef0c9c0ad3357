import { expect, test } from './fixtures.ts'

test('a backup is made, shows what it would change, is restored and deleted', async ({ admin: page, hub }) => {
  await page.goto('/settings')
  await page.getByRole('link', { name: 'Backups' }).click()
  await expect(page.getByText('There are no backups yet')).toBeVisible()
  await page.getByRole('button', { name: 'Back up now' }).click()
  await expect(page.getByText(/is made and checked/)).toBeVisible()
  const row = page.getByRole('main').getByRole('listitem')
  await expect(row).toHaveCount(1)
  // As after a quarter of an hour: what the browser fetches itself renews nothing.
  await page.context().clearCookies({ name: 'mcp_hub_session' })
  const saved = page.waitForEvent('download')
  await row.getByRole('button', { name: /^Download/ }).click()
  expect((await saved).suggestedFilename()).toMatch(/^mcp-hub-.*\.tar\.gz$/)

  const dialog = page.getByRole('dialog')
  await row.getByRole('button', { name: /^Restore/ }).click()
  await expect(dialog).toContainText('Nothing differs from what is in force')
  await expect(dialog.getByRole('button', { name: 'Restore', exact: true })).toBeDisabled()
  await dialog.getByRole('button', { name: 'Cancel' }).click()

  await page.request.delete('/api/servers/broken', { headers: { origin: hub.url } })
  await row.getByRole('button', { name: /^Restore/ }).click()
  await expect(dialog.getByRole('region', { name: 'servers.json' })).toContainText('"broken"')
  await dialog.getByRole('button', { name: 'Restore', exact: true }).click()
  await expect(page.getByText(/is in force$/)).toBeVisible()
  expect((await page.request.get('/api/servers/broken')).ok()).toBe(true)

  await row.getByRole('button', { name: /^Delete/ }).click()
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click()
  await expect(page.getByText('There are no backups yet')).toBeVisible()
})
