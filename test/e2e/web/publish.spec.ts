import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import type { AuditPage } from '../../../hub/contract/index.ts'
import { expect, expectAccessible, test } from './fixtures.ts'

const run = promisify(execFile)

test('the preview shows each generated file and follows the form', async ({ admin: page }) => {
  await page.goto('/publish?view=files')
  const files = page.getByRole('region', { name: 'Files', exact: true })
  await expect(files.getByRole('link', { name: 'README.md' })).toBeVisible({ timeout: 20_000 })
  await page.getByLabel('Domain').fill('mcp.example.org')
  await page.keyboard.press('Tab')
  await page.getByRole('searchbox', { name: 'Find a file' }).fill('nginx mcp-hub')
  await files.getByRole('link', { name: 'nginx/mcp-hub.conf' }).click()
  await expect(page).toHaveURL(/file=nginx/)
  const text = files.getByRole('region', { name: 'nginx/mcp-hub.conf' })
  await expect(text).toContainText('server_name mcp.example.org')
  await expect(text.locator('.code-name').first()).toBeVisible()
  await expect(page.getByText('--domain mcp.example.org')).toBeVisible()

  await page.getByText('Docker', { exact: true }).click()
  await page.getByRole('searchbox', { name: 'Find a file' }).fill('compose')
  await expect(files.getByRole('link', { name: /compose\.yaml/ })).toBeVisible({ timeout: 20_000 })
  await page.getByText('Ports, folder, log level and backups').click()
  const digests = page.getByLabel('Base images by content')
  await digests.fill('node:24')
  await expect(page.getByText('Images with version and digest, one a line')).toBeVisible()
  const image = `nginx:1.30.6-trixie@sha256:${'5f'.repeat(32)}`
  await digests.fill(image)
  await expect(page.getByText(`--image-digests ${image}`)).toBeVisible()
  await page.getByText('PM2', { exact: true }).click()
  // What was given can be taken away.
  await digests.fill('')
  await expect(digests).toBeHidden()

  await page.getByLabel('Domain').fill('10.0.0.1')
  await expect(page.getByText('A domain name such as hub.example.com, not an IP address.')).toBeVisible()
  await expect(page.getByLabel('Domain')).toHaveAttribute('aria-invalid', 'true')
  await expect(page.getByRole('button', { name: 'Download archive' })).toBeDisabled()
})

test('several hubs are refused until they share a database, which .env then names', async ({ admin: page }) => {
  await page.goto('/publish?view=secrets')
  await page.getByLabel('Domain').fill('mcp.example.org')
  await page.getByLabel('Instances').fill('3')
  await expect(page.getByRole('alert').filter({ hasText: 'Several hubs need PostgreSQL' })).toBeVisible()
  await page.getByLabel('PostgreSQL for configuration and history').check()
  await expect(page.getByText('Several hubs need PostgreSQL')).toBeHidden()
  await page.getByText('Ports, folder, log level and backups').click()
  await page.getByLabel('Log level').selectOption('debug')
  await expect(page.getByText('--instances 3 --services database --log-level debug')).toBeVisible()
  const recipients = page.getByLabel('Encrypt backups for')
  await recipients.fill('age1mistyped')
  await expect(page.getByText('Public keys of age, one a line: age1 and 58')).toBeVisible()
  await recipients.fill('age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p')
  await expect(
    page.getByText('--backup-recipients age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'),
  ).toBeVisible()
  const secrets = page.getByRole('region', { name: 'Secrets on the target' })
  await expect(secrets).toContainText('DATABASE_URL', { timeout: 20_000 })
  await expectAccessible(page)
})

test('a check and a finding lead to what they are about', async ({ admin: page }) => {
  await page.goto('/publish')
  const preview = page.getByRole('navigation', { name: 'Preview' })
  await preview.getByRole('link', { name: /^Checks/ }).click()
  await page.getByRole('region', { name: 'Checks' }).getByRole('link', { name: 'pm2/ecosystem.config.cjs' }).click()
  await expect(page.getByRole('region', { name: 'pm2/ecosystem.config.cjs' })).toContainText('module.exports')
  await preview.getByRole('link', { name: /^To know/ }).click()
  await page.getByRole('region', { name: 'What to know' }).getByRole('link', { name: 'broken' }).first().click()
  await expect(page).toHaveURL(/\/servers\/broken\/settings/)
})

test('the archive that the browser downloads is whole, and the audit log tells of it', async ({ admin: page, hub }) => {
  await page.goto('/publish')
  await page.getByLabel('Domain').fill('mcp.example.org')
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Download archive' }).click(),
  ])
  expect(download.suggestedFilename()).toMatch(/^mcp-hub-\d.*-[0-9a-f]{8}\.tar\.gz$/)
  await expect(page.getByText('The archive is downloaded')).toBeVisible()
  const folder = await mkdtemp(path.join(os.tmpdir(), 'mcp-hub-archive-'))
  try {
    await run('tar', ['-xzf', await download.path(), '-C', folder])
    const [release = ''] = await readdir(folder)
    await run('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: path.join(folder, release) })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  const audit = (await (await page.request.get(`${hub.url}/api/audit`)).json()) as AuditPage
  expect(audit.items.find(({ action }) => action === 'POST /api/publish/archive')).toMatchObject({
    actorName: 'admin',
    outcome: 'done',
  })
})
