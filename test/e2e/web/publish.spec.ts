import { expect, expectAccessible, test } from './fixtures.ts'

test('the preview shows each generated file and follows the form', async ({ admin: page }) => {
  await page.goto('/publish')
  const files = page.getByRole('region', { name: 'Files' })
  await expect(files.getByRole('button', { name: 'README.md' })).toBeVisible({ timeout: 20_000 })
  await page.getByLabel('Domain').fill('mcp.example.org')
  await files
    .getByRole('button', { name: /^nginx\/.*\.conf/ })
    .first()
    .click()
  await expect(page).toHaveURL(/file=nginx/)
  await expect(files).toContainText('server_name mcp.example.org')
  await expect(page.getByText('--domain mcp.example.org')).toBeVisible()

  await page.getByText('Docker', { exact: true }).click()
  await expect(files.getByRole('button', { name: /compose\.yaml/ })).toBeVisible({ timeout: 20_000 })

  await page.getByLabel('Domain').fill('10.0.0.1')
  await expect(page.getByText('A domain name such as hub.example.com, not an IP address.')).toBeVisible()
  await expect(page.getByLabel('Domain')).toHaveAttribute('aria-invalid', 'true')
})

test('several hubs are refused until they share a database, which .env then names', async ({ admin: page }) => {
  await page.goto('/publish')
  await page.getByLabel('Domain').fill('mcp.example.org')
  await page.getByLabel('Instances').fill('3')
  await expect(page.getByRole('alert').filter({ hasText: 'Several hubs need PostgreSQL' })).toBeVisible()
  await page.getByLabel('PostgreSQL for configuration and history').check()
  await expect(page.getByText('Several hubs need PostgreSQL')).toBeHidden()
  await page.getByLabel('Log level').selectOption('debug')
  await expect(page.getByText('--instances 3 --services database --log-level debug')).toBeVisible()
  const secrets = page.getByRole('region', { name: 'Secrets on the target' })
  await expect(secrets).toContainText('DATABASE_URL', { timeout: 20_000 })
  await expectAccessible(page)
})
