import { expect, test } from './fixtures.ts'

test('the doctor shows the step that fails with its cure, and every step of a server that works', async ({
  admin: page,
}) => {
  await page.goto('/servers/broken')
  await page.getByRole('link', { name: 'Doctor' }).click()
  await page.getByRole('button', { name: 'Examine' }).click()
  await expect(page.getByRole('heading', { name: 'Fails at: Executable' })).toBeVisible()
  await expect(page.getByText('Check its spelling, install it, or give its full path.')).toBeVisible()
  await expect(page.getByText('Looked in', { exact: false })).toBeVisible()
  await page.getByRole('button', { name: 'Read PATH again' }).click()
  await expect(page.getByRole('heading', { name: 'Fails at: Executable' })).toBeVisible()

  await page.goto('/servers/everything/doctor')
  await page.getByRole('button', { name: 'Examine' }).click()
  await expect(page.getByRole('heading', { name: /^Every step passed in/ })).toBeVisible({ timeout: 20_000 })
  await expect(page.getByRole('listitem').filter({ hasText: 'What it offers' })).toContainText('13 tools')
})

test('memory and CPU of a server are measured while somebody looks', async ({ admin: page }) => {
  await page.goto('/servers/everything')
  await expect(page.getByText('% of one CPU')).toBeVisible({ timeout: 10_000 })
  await expect(page.getByText('Memory', { exact: true })).toBeVisible()
})
