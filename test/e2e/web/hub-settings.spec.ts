import { expect, expectAccessible, test } from './fixtures.ts'

test('a setting of system.json is changed by keyboard, refused where it stands, and taken back', async ({
  admin: page,
}) => {
  await page.goto('/settings')
  await page.getByRole('link', { name: 'All hub settings' }).click()
  await expect(page.getByRole('heading', { name: 'Hub settings', level: 1 })).toBeVisible()
  await page.keyboard.press('/')
  await page.keyboard.type('maxDays')
  const row = page.getByRole('region', { name: 'History and retention' }).getByRole('listitem')
  await expect(row).toContainText('30')
  await row.getByRole('button', { name: 'Change history.maxDays' }).press('Enter')

  const dialog = page.getByRole('dialog', { name: 'history.maxDays' })
  const value = dialog.getByLabel('Value')
  await expect(value).toHaveAccessibleDescription(/Default: 30/)
  await value.fill('many')
  await expect(value).toHaveAccessibleDescription('This must be a number')
  await expect(dialog.getByRole('button', { name: 'Save' })).toBeDisabled()
  await value.fill('0')
  await value.press('Enter')
  await expect(value).toHaveAttribute('aria-invalid', 'true')
  await expect(value).toHaveValue('0')
  await expectAccessible(page)
  await value.fill('45')
  await value.press('Enter')
  await expect(dialog).toBeHidden()
  await expect(row).toContainText('45')
  await expect(row).toContainText('Set in system.json; default: 30')

  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(row).not.toContainText('45')

  await page.getByRole('searchbox').fill('no such thing')
  await expect(page.getByText('No setting matches')).toBeVisible()
  await page.getByRole('button', { name: 'Clear filter' }).click()
  await expect(page.getByRole('region', { name: 'Network' })).toBeVisible()
  await expectAccessible(page)
})
