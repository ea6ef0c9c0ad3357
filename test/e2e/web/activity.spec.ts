import type { APIRequestContext } from '@playwright/test'
import { everything, expect, test as base } from './fixtures.ts'
import { startWebHub, type WebHub } from './hub.ts'

/** A hub that keeps payloads, without secrets. */
const test = base.extend<object, { hub: WebHub }>({
  hub: [
    // Playwright reads the names of the fixtures from this pattern.
    async ({}, use) => {
      const hub = await startWebHub({ everything }, undefined, undefined, { history: { payloads: 'redacted' } })
      await use(hub)
      await hub.close()
    },
    { scope: 'worker' },
  ],
})

async function call(request: APIRequestContext, url: string, tool: string, args: object): Promise<void> {
  const data = { server: 'everything', tool, arguments: args }
  await expect(async () => {
    const answer = await request.post(`${url}/api/tools/call`, { headers: { origin: url }, data })
    expect(((await answer.json()) as { result: unknown }).result).toBeTruthy()
  }).toPass()
}

test('requests appear as they come, are found, opened, compared and tried again', async ({ admin: page, hub }) => {
  await page.goto('/activity')
  await expect(page.getByText('No requests yet')).toBeVisible()
  await call(page.request, hub.url, 'get-sum', { a: 2, b: 3 })
  await call(page.request, hub.url, 'get-sum', { a: 2, b: 40 })
  await call(page.request, hub.url, 'echo', { message: 'albatross' })
  const grid = page.getByRole('grid', { name: 'Activity' })
  await expect(grid.getByRole('link', { name: 'get-sum' })).toHaveCount(2)
  await expect(grid.getByRole('link', { name: 'echo' })).toHaveCount(1)

  await page.getByLabel('Search requests').fill('albatross')
  await expect(grid.getByRole('link')).toHaveText(['echo'])
  await expect(page).toHaveURL(/q=albatross/)
  await page.reload()
  await expect(grid.getByRole('link')).toHaveText(['echo'])
  await page.getByLabel('Search requests').fill('no such words')
  await expect(page.getByText('No request matches')).toBeVisible()
  await page.getByRole('button', { name: 'Clear filter' }).click()
  await expect(grid.getByRole('link', { name: 'get-sum' })).toHaveCount(2)

  await grid.getByRole('link', { name: 'get-sum' }).first().click()
  await expect(page.getByRole('heading', { name: 'get-sum', level: 1 })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Answer' }).last()).toContainText('42')
  const timing = page.getByRole('region', { name: 'Timing' })
  await expect(timing.getByRole('rowheader')).toHaveText([
    'Read and routed by the hub',
    'At the server',
    'Answer passed on',
  ])
  const compare = page.getByRole('region', { name: 'Compare' })
  await compare.getByRole('combobox').selectOption({ index: 1 })
  const changes = compare.getByRole('region', { name: 'Request' })
  await expect(changes.first()).toContainText('Removed:')
  await expect(changes.first()).toContainText('"b": 3')
  await expect(changes.first()).toContainText('"b": 40')

  await page.keyboard.press('r')
  await expect(page).toHaveURL(/\/tools\/everything\/get-sum/)
  await expect(page.getByRole('textbox', { name: 'JSON' })).toContainText('"b": 40')
  await page.reload()
  await expect(page.getByRole('textbox', { name: 'JSON' })).toContainText('"b": 40')
  await page.keyboard.press('Control+Enter')
  await expect(page.getByText('The sum of 2 and 40 is 42.')).toBeVisible()

  const headers = { origin: hub.url }
  const prompt = { server: 'everything', prompt: 'args-prompt', arguments: { city: 'Lisbon' } }
  await page.request.post('/api/prompts/get', { headers, data: prompt })
  const [resource] = (await (await page.request.get('/api/resources')).json()) as { uri: string }[]
  await page.request.post('/api/resources/read', { headers, data: { server: 'everything', uri: resource?.uri } })
  await page.goto('/activity')
  await grid.getByRole('link', { name: 'args-prompt' }).click()
  await page.getByRole('button', { name: 'Open in Try it' }).click()
  await expect(page.getByLabel('city', { exact: true })).toHaveValue('Lisbon')
  await page.goto('/activity?method=resources/read')
  await grid.getByRole('link').first().click()
  await page.getByRole('button', { name: 'Open in Try it' }).click()
  await expect(page).toHaveURL(`/resources/everything?uri=${resource?.uri ?? ''}`)
})

test('while the list is paused, what comes is held back', async ({ admin: page, hub }) => {
  await call(page.request, hub.url, 'echo', { message: 'first' })
  await page.goto('/activity?name=echo')
  const links = page.getByRole('grid', { name: 'Activity' }).getByRole('link')
  await expect(links.first()).toBeVisible()
  const before = await links.count()
  await page.keyboard.press('p')
  await call(page.request, hub.url, 'echo', { message: 'second' })
  await page.getByRole('button', { name: '1 newer request' }).click()
  await expect(links).toHaveCount(before + 1)
  await page.getByRole('button', { name: 'Drop the filter Name: echo' }).click()
  await expect(page).toHaveURL(/\/activity$/)
})

test('a request that the history does not have is told so', async ({ admin: page }) => {
  await page.goto('/activity/999999')
  await expect(page.getByText('Request 999999 is not in the history')).toBeVisible()
})

test('the overview counts the calls, and leads to those of a client', async ({ admin: page, hub }) => {
  await call(page.request, hub.url, 'echo', { message: 'counted' })
  await page.goto('/')

  await expect(page.getByRole('img', { name: /^Calls, errors/ })).toBeVisible()
  await page.getByRole('link', { name: 'mcp-hub-ui' }).click()
  await expect(page).toHaveURL(/client=mcp-hub-ui/)
  await expect(page.getByRole('grid', { name: 'Activity' }).getByRole('link').first()).toBeVisible()
})
