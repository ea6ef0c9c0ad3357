import { expect, test } from './fixtures.ts'

test('a change is a version; going back brings the old configuration into force', async ({ admin: page, hub }) => {
  const removed = await page.request.delete('/api/servers/broken', { headers: { origin: hub.url } })
  expect(removed.ok()).toBe(true)
  await page.goto('/settings')
  await page.getByRole('link', { name: 'Configuration versions' }).click()
  await expect(page.getByRole('heading', { name: 'Configuration versions', level: 1 })).toBeVisible()
  await expect(page.getByText('Server broken removed').first()).toBeVisible()

  await page.getByText('What the hub found at its first start').click()
  await expect(page.getByRole('region', { name: 'Changes' })).toContainText('"broken"')
  await page.getByRole('button', { name: 'Go back to this version' }).click()
  await page.getByLabel('Reason (optional)').fill('It is needed after all')
  await page.getByRole('dialog').getByRole('button', { name: 'Go back to this version' }).click()
  await expect(page.getByText('Version 1 is in force again')).toBeVisible()
  await expect(page.getByText('It is needed after all')).toBeVisible()
  await page.goto('/servers')
  await expect(page.getByRole('link', { name: 'broken' })).toBeVisible()
})

test('a save over somebody else’s change is refused, and what was typed stays', async ({ admin: page }) => {
  await page.goto('/servers/everything/settings?view=json')
  const editor = page.getByRole('textbox', { name: 'JSON' })
  await expect(editor).toContainText('"command"')
  // The page is not told: as if the other one had been a moment quicker.
  await page.route('**/api/servers/everything', async (route) => {
    if (route.request().method() !== 'PUT') return route.fallback()
    const url = route.request().url()
    const { config } = (await (await page.request.get(url)).json()) as { config: object }
    const headers = { origin: new URL(url).origin }
    await page.request.put(url, { headers, data: { config: { ...config, description: 'theirs' } } })
    return route.fallback()
  })
  await editor.click()
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.type('\n"description": "mine",')
  await page.getByRole('button', { name: 'Review' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('dialog')).toContainText('Somebody else changed it since it was read')
  await page.unroute('**/api/servers/everything')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await expect(editor).toContainText('"mine"')
  await expect(page.getByRole('alert')).toContainText('changed')
})
