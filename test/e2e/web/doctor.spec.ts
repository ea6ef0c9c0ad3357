import { expect, expectAccessible, mcpServer, test } from './fixtures.ts'

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

test('an entry that is not saved is examined in the add dialog, step by step, and no further than one wants', async ({
  admin: page,
}) => {
  await page.goto('/servers/add')
  const paste = page.getByLabel('Configuration, command or URL')
  await paste.fill(JSON.stringify({ mcpServers: { mute: mcpServer('silent') } }))
  await page.getByRole('button', { name: 'Review' }).click()
  await page.getByRole('button', { name: 'Examine' }).click()
  const step = (name: string) => page.getByRole('listitem').filter({ hasText: name })
  await expect(page.getByRole('heading', { name: 'Examining: First bytes' })).toBeVisible()
  await expect(step('Executable').getByRole('img', { name: 'Passed' })).toBeVisible()
  await expect(step('First bytes').getByRole('img', { name: 'Being examined' })).toBeVisible()
  await expect(step('Handshake').getByRole('img', { name: 'Not examined yet' })).toBeVisible()
  await page.getByRole('button', { name: 'Cancel' }).click()
  await expect(page.getByText('The examination was canceled.')).toBeVisible()

  await paste.fill(JSON.stringify({ mcpServers: { absent: { command: 'no-such-command-anywhere' } } }))
  await page.getByRole('button', { name: 'Review' }).click()
  // Until the hub has read it, the entry of before is there.
  await page.getByRole('region', { name: 'absent' }).getByRole('button', { name: 'Examine' }).click()
  await expect(page.getByRole('heading', { name: 'Fails at: Executable' })).toBeVisible()
  await expectAccessible(page)
  const saved = (await (await page.request.get('/api/servers')).json()) as { name: string }[]
  expect(saved.map(({ name }) => name).toSorted()).toEqual(['broken', 'everything'])
})
