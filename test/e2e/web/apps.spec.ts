import { readFile } from 'node:fs/promises'
import type { Page } from '@playwright/test'
import { expect, expectAccessible, mcpServer, test as base } from './fixtures.ts'
import { startWebHub, type WebHub } from './hub.ts'

const test = base.extend<object, { hub: WebHub }>({
  hub: [
    // Playwright reads the names of the fixtures from this pattern.
    async ({}, use) => {
      const hub = await startWebHub({ apps: mcpServer('apps') })
      await use(hub)
      await hub.close()
    },
    { scope: 'worker' },
  ],
})
const appOf = (page: Page) => page.frameLocator('iframe')

async function run(page: Page, tool: string): Promise<void> {
  await page.goto(`/tools/apps/${tool}`)
  await page.getByRole('button', { name: 'Run' }).click()
}

/** What the hub was asked for, the newest first. */
async function called(page: Page): Promise<string[]> {
  const history = (await (await page.request.get('/api/history')).json()) as { items: { name: string }[] }
  return history.items.map(({ name }) => name)
}

test('the app of a tool runs in its frame, asks before it changes anything, and follows the page', async ({
  admin: page,
  context,
}) => {
  // What nginx sends with every answer; the policy of the frame is what counts.
  await page.route('**/api/apps/frame*', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, headers: { ...response.headers(), 'x-frame-options': 'DENY' } })
  })
  await context.route('https://example.com/**', (route) => route.fulfill({ body: 'the forecast' }))
  await page.goto('/tools/apps/weather')
  await page.getByLabel('city', { exact: true }).fill('Lisbon')
  await page.getByRole('button', { name: 'Run' }).click()
  const app = appOf(page)
  const said = app.locator('output')
  await expect(app.getByRole('heading')).toHaveText('Weather in Lisbon')
  await expect(app.locator('p')).toContainText('21 degrees')
  await expect(app.locator('#host')).toHaveText('light en inline')

  await app.getByRole('button', { name: 'Refresh' }).click()
  await expect(app.locator('#times')).toHaveText('1')
  await app.getByRole('button', { name: 'Secret' }).click()
  await expect(said).toContainText('apps has no tool secret that apps may call')
  await app.getByRole('button', { name: 'Read' }).click()
  await expect(said).toHaveText('a note')

  const asked = page.getByRole('region', { name: 'The app wants to call a tool that may change something' })
  await app.getByRole('button', { name: 'Save' }).click()
  await expect(asked).toContainText('"note": "Lisbon"')
  await expectAccessible(page)
  await asked.getByRole('button', { name: 'Refuse' }).click()
  await expect(said).toContainText('refused: The person refused the call of save')
  await app.getByRole('button', { name: 'Save' }).click()
  await asked.getByRole('button', { name: 'Allow once' }).click()
  await expect(said).toHaveText('saved Lisbon')

  const link = page.getByRole('region', { name: 'The app wants to open a page' })
  await app.getByRole('button', { name: 'Forecast' }).click()
  await expect(link).toContainText('This leads to example.com')
  const opened = context.waitForEvent('page')
  await link.getByRole('link', { name: 'https://example.com/forecast?city=Lisbon' }).click()
  await expect((await opened).locator('body')).toHaveText('the forecast')
  await (await opened).close()
  await expect(said).toHaveText('{}')
  await app.getByRole('button', { name: 'Tell' }).click()
  await expect(page.getByRole('region', { name: 'To the model' })).toContainText('It rains')

  const frame = page.locator('iframe')
  const height = async (): Promise<number> => (await frame.boundingBox())?.height ?? 0
  const before = await height()
  await app.getByRole('button', { name: 'Grow' }).click()
  await expect.poll(height).toBeGreaterThan(before + 250)
  await page.emulateMedia({ colorScheme: 'dark' })
  await expect(app.locator('#host')).toHaveText('dark en inline')

  // Another view of the result does not end it.
  await page.getByRole('radio', { name: 'JSON' }).check()
  await expect(frame).toBeHidden()
  await page.getByRole('radio', { name: 'App' }).check()
  await expect(app.locator('#times')).toHaveText('1')
  await page.getByText(/^Messages \(\d+\)$/).click()
  const log = page.getByRole('region', { name: 'Messages between app and page' })
  await expect(log).toContainText('ui/initialize')
  await expect(log).toContainText('tools/call')
  await app.getByRole('button', { name: 'Listing' }).click()
  await expect(said).toContainText('note://apps')
  await app.getByRole('button', { name: 'Export' }).click()
  const files = page.getByRole('region', { name: 'The app wants to save files' })
  await expect(files.getByRole('listitem')).toHaveText([
    /weather\.csv.*22 B/,
    /note\.txt.*from the server: note:\/\/apps/,
  ])
  const downloads: string[] = []
  page.on('download', (download) => {
    void download
      .path()
      .then(async (path) => downloads.push(`${download.suggestedFilename()}: ${await readFile(path, 'utf8')}`))
  })
  await files.getByRole('button', { name: 'Save' }).click()
  await expect.poll(() => downloads.toSorted()).toEqual(['note.txt: a note', 'weather.csv: city,degrees\nLisbon,21'])
  await expect(said).toHaveText('{}')

  await app.getByRole('button', { name: 'Widen' }).click()
  await expect(app.locator('#host')).toHaveText('dark en fullscreen')
  await app.getByRole('button', { name: 'Ask' }).click()
  const asks = page.getByRole('region', { name: 'The app asks your model' })
  await expect(asks).toContainText('Will it rain?')
  await expectAccessible(page)
  await asks.getByLabel('Answer of the model').fill('Not before noon')
  await asks.getByRole('button', { name: 'Send answer' }).click()
  await expect(said).toHaveText('Not before noon')
  const whole = page.viewportSize()
  await expect.poll(async () => (await frame.boundingBox())?.width).toBe(whole?.width)
  await page.getByRole('button', { name: 'Leave full screen' }).click()
  await expect(app.locator('#host')).toHaveText('dark en inline')
  await page.getByRole('button', { name: 'Full screen' }).click()
  await expect(app.locator('#host')).toHaveText('dark en fullscreen')
  await page.getByRole('button', { name: 'Leave full screen' }).press('Escape')
  await expect(app.locator('#host')).toHaveText('dark en inline')
  await expect(app.locator('#times')).toHaveText('1')

  // What an app does when it is told that it ends: also of the page that is left.
  const seen = async (): Promise<number> => (await called(page)).filter((name) => name === 'seen').length
  expect(await seen()).toBe(1)
  await app.getByRole('button', { name: 'Close' }).click()
  await expect(page.getByText('The app is closed.')).toBeVisible()
  await expect(frame).toHaveCount(0)
  await expect.poll(seen).toBe(2)
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(app.locator('p')).toContainText('21 degrees')
  await page.getByRole('link', { name: 'Servers' }).click()
  await expect.poll(seen).toBe(3)
  await expect(frame).toHaveCount(0)

  const names = await called(page)
  for (const name of ['weather', 'ui://apps/weather', 'seen', 'note://apps', 'save']) expect(names).toContain(name)
  expect(names).not.toContain('secret')
})

test.describe('an app that means harm', () => {
  test.use({
    provoked: /Content Security Policy|CSP: frame-src|sandbox|Unsafe attempt|ERR_BLOCKED_BY_CSP|cross-origin frame/i,
  })

  test('reaches neither the page nor the hub nor the network, and gets an error that says so', async ({
    admin: page,
    context,
  }) => {
    const requested: string[] = []
    context.on('request', (request) => {
      if (request.frame() !== page.mainFrame()) requested.push(request.url())
    })
    await context.route('https://*.example*/**', (route) =>
      route.fulfill({ body: 'allowed data', headers: { 'access-control-allow-origin': '*' } }),
    )
    await run(page, 'harm-reach')
    const output = appOf(page).locator('output')
    await expect(output).not.toBeEmpty()
    expect(JSON.parse((await output.textContent()) ?? '')).toEqual({
      api: 'refused: TypeError',
      hub: 'refused: TypeError',
      network: 'refused: TypeError',
      declared: 'allowed data',
      storage: 'refused: SecurityError',
      cookie: 'refused: SecurityError',
      page: 'refused: SecurityError',
      session: 'refused: SecurityError',
      popup: 'null',
      top: 'refused: SecurityError',
      desktop: 'undefined',
      origin: 'null',
      frame: 'blocked by frame-src',
    })
    expect(requested.filter((url) => !url.includes('/api/apps/frame'))).toEqual(['https://allowed.example.com/data'])
    expect(context.pages()).toHaveLength(1)
    await expect(page.getByRole('list', { name: 'What the app may reach' })).toContainText('http://127.0.0.1:1 *')
    await expect(page.getByRole('list', { name: 'What the app may reach' })).toContainText('camera')

    await run(page, 'harm-fill')
    await expect(output).toHaveText('inline')

    await run(page, 'harm-giant')
    await expect.poll(async () => (await page.locator('iframe').boundingBox())?.height).toBe(900)
    const alert = page.getByRole('alert')
    for (const [attack, failure] of [
      ['leave', 'It left its page or loaded it anew.'],
      ['reload', 'It left its page or loaded it anew.'],
      ['flood', 'It sent more messages than this page takes.'],
      ['huge', 'It sent a message of more than 4 MB'],
    ] as const) {
      await run(page, `harm-${attack}`)
      await expect(alert).toContainText(failure)
      await expect(page.locator('iframe')).toHaveCount(0)
    }
    expect(requested.filter((url) => url.includes('elsewhere'))).toEqual([])
  })
})

test('an app that cannot be shown says why, and what to do', async ({ admin: page }) => {
  const alert = page.getByRole('alert')
  for (const [tool, cause] of [
    ['missing', 'The server did not hand out ui://apps/missing: Resource not found'],
    ['plain', 'ui://apps/plain is text/plain; an app is text/html;profile=mcp-app.'],
    ['large', 'ui://apps/large has 6 MB; at most 5 MB are shown.'],
  ] as const) {
    await run(page, tool)
    await expect(alert).toContainText(cause)
  }
  await page.getByRole('radio', { name: 'Rendered' }).check()
  await expect(page.getByText('This is large')).toBeVisible()

  await page.clock.install()
  await run(page, 'older')
  await expect(appOf(page).getByText('A page that never says a word')).toBeVisible()
  await page.clock.fastForward(10_000)
  await expect(alert).toContainText('It did not say ui/initialize within 10 seconds')
})

test('a description with markup, control marks and 100,000 letters, and a result of 10 MB, are text like any other', async ({
  admin: page,
}) => {
  await page.goto('/tools')
  await page.getByRole('checkbox', { name: /^Worth a look/ }).check()
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name: 'loud' }) })
  await expect(row).toContainText(`<img src="x" onerror="document.title='owned'">`)
  expect((await row.boundingBox())?.height).toBeLessThan(50)
  await row.getByRole('link').click()
  await expect(page.getByRole('main').getByText('<img src="x"').first()).toBeVisible()
  const note = page.getByRole('region', { name: 'Worth a look' })
  await expect(note).toBeInViewport()
  await page.getByRole('button', { name: 'Show the whole text' }).click()
  await expect(note).not.toBeInViewport()
  await expect(note).toContainText('characters that you cannot see')
  await expect(note).toContainText('⟨U+')
  await page.getByRole('button', { name: 'Run' }).click()
  const result = page.getByRole('region', { name: 'Result', exact: true })
  await expect(result).toContainText('10 MB')
  const body = result.getByRole('group', { name: 'Text' })
  await expect(body).toContainText('<b>bold</b> yyy')
  expect((await body.innerText()).length).toBe(20_000)
  await expect(result.getByRole('button', { name: 'Show all' })).toBeVisible()
  await expect(page.locator('main img, main b')).toHaveCount(0)
  await expect(page).toHaveTitle(/MCP Hub$/)
  // Nothing of it makes the page wider than the window.
  expect(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth)).toBe(true)
})

test('an app that never rests leaves the page alive, and is closed by it', async ({ admin: page, context }) => {
  await page.goto('/tools/apps/harm-spin')
  await expect(page.getByRole('button', { name: 'Run' })).toBeEnabled()
  // Not by locators: a trace takes a picture of every frame with each, and the one that never rests does not answer.
  const devtools = await context.newCDPSession(page)
  const inPage = async (expression: string): Promise<unknown> =>
    (await devtools.send('Runtime.evaluate', { expression, returnByValue: true })).result.value
  const press = (name: string): Promise<unknown> =>
    inPage(`[...document.querySelectorAll('button')].find((button) => button.textContent.trim() === '${name}').click()`)
  await press('Run')
  await expect.poll(() => inPage(`document.body.innerText.includes('From now on I never rest')`)).toBe(true)
  await press('Close app')
  await expect.poll(() => inPage(`document.querySelector('iframe')`)).toBe(null)
  await expect(page.getByText('The app is closed.')).toBeVisible()
})
