import type { Locator } from '@playwright/test'
import { expect, test } from './fixtures.ts'

/** By keys, as a person does: the browser's own way of replacing a text in place leaves styles behind in it. */
async function write(editor: Locator, text: string): Promise<void> {
  await editor.press('Control+a')
  await editor.page().keyboard.insertText(text)
}

test('the catalogue of all servers is searched, filtered and survives a reload', async ({ admin: page }) => {
  await page.goto('/tools')
  await expect(page.getByText('One server is not running; its tools are not listed.')).toBeVisible()
  await page.keyboard.press('/')
  await expect(page.getByRole('searchbox')).toBeFocused()
  await page.keyboard.type('sum')
  await expect(page.getByRole('row')).toHaveCount(2)
  await page.reload()
  await expect(page.getByRole('searchbox')).toHaveValue('sum')
  await page.getByRole('searchbox').fill('no such tool')
  await expect(page.getByRole('heading', { name: 'No tool matches the filter' })).toBeVisible()
  await page.getByRole('button', { name: 'Clear filter' }).click()
  await expect(page.getByRole('searchbox')).toBeFocused()
  await expect(page.getByRole('searchbox')).toHaveValue('')
  await expect(page.getByRole('link', { name: 'Echo Tool' })).toBeVisible()
  await page.goto('/tools?q=sum')
  await page.getByRole('row').last().getByRole('link').click()
  await expect(page).toHaveURL(/\/tools\/everything\/get-sum$/)
})

test('form and JSON are in step, and what cannot be sent exactly is not sent', async ({ admin: page }) => {
  await page.goto('/tools/everything/get-sum')
  const json = page.getByRole('textbox', { name: 'Arguments as JSON' })
  await page.getByLabel('a', { exact: true }).fill('2')
  await expect(json).toContainText('"a": 2')
  await write(json, '{ "a": 2, "b": 40 }')
  await expect(page.getByLabel('b', { exact: true })).toHaveValue('40')

  await page.getByLabel('b', { exact: true }).fill('9007199254740993')
  await expect(page.getByRole('alert')).toContainText('more digits than a JSON number keeps')
  await expect(page.getByRole('button', { name: 'Run' })).toBeDisabled()
  await write(json, '{ "a": 2, "b": 9007199254740993 }')
  await expect(page.getByRole('alert')).toContainText('9007199254740993 cannot be sent exactly')
  await expect(page.getByRole('button', { name: 'Run' })).toBeDisabled()

  await write(json, '{ "a": 2, "b": 40 }')
  await json.press('Control+Enter')
  await expect(page.getByRole('status').filter({ hasText: 'Done' })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('42')
})

test('what does not fit the schema is said first and sent when wanted', async ({ admin: page }) => {
  await page.goto('/tools/everything/get-sum')
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(page.getByRole('alert')).toContainText('2 arguments do not fit the schema')
  await expect(page.getByText('Required.')).toHaveCount(2)
  await page.getByRole('button', { name: 'Run anyway' }).click()
  await expect(page.getByRole('region', { name: 'Result' })).toContainText('Invalid arguments')
})

test('a long call shows its progress and can be canceled', async ({ admin: page }) => {
  await page.goto('/tools/everything/trigger-long-running-operation')
  await page.getByLabel('duration').fill('60')
  await page.getByLabel('steps').fill('300')
  await page.getByRole('button', { name: 'Run' }).click()
  const result = page.getByRole('region', { name: 'Result' })
  await expect(result).toContainText(/\d+ \/ 300/)
  await result.getByRole('button', { name: 'Cancel' }).click()
  await expect(result).toContainText('The call was canceled after')
})

test('a result is shown by its type', async ({ admin: page }) => {
  const result = page.getByRole('region', { name: 'Result', exact: true })
  await page.goto('/tools/everything/get-tiny-image')
  await page.getByRole('button', { name: 'Run' }).click()
  const image = result.getByRole('img', { name: 'Image (image/png)' })
  await expect(image).toBeVisible()
  expect(await image.evaluate((element) => (element as HTMLImageElement).naturalWidth)).toBeGreaterThan(0)

  await page.goto('/tools/everything/get-structured-content')
  await page.getByLabel('location').selectOption({ index: 1 })
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(result.getByText('Fits the output schema')).toBeVisible()
  await result.getByText('JSON', { exact: true }).click()
  await expect(result.getByRole('textbox', { name: 'Result' })).toContainText('structuredContent')

  await page.goto('/tools/everything/get-resource-links')
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(result.getByText('Resource link').first()).toBeVisible()

  await page.goto('/tools/everything/no-such-tool')
  await expect(page.getByRole('heading', { name: 'everything offers no tool named no-such-tool' })).toBeVisible()
})
