import type { Locator, Page } from '@playwright/test'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { everything, expect, expectAccessible, mcpServer, signIn, test } from './fixtures.ts'
import { PASSWORD, startWebHub } from './hub.ts'

const row = (page: Page, name: string): Locator =>
  page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) })

// The other files share this hub and count what is there.
test.afterEach(async ({ context, hub }) => {
  await signIn(context, hub.url)
  const servers = (await (await context.request.get(`${hub.url}/api/servers`)).json()) as { name: string }[]
  for (const { name } of servers.filter(({ name }) => name !== 'everything' && name !== 'broken')) {
    await context.request.delete(`${hub.url}/api/servers/${name}`, { headers: { origin: hub.url } })
  }
})

test('a pasted server is tried without being saved, added, and from then on can be worked with', async ({
  admin: page,
}) => {
  await page.goto('/servers')
  await page.getByRole('link', { name: 'Add server' }).click()
  await expect(page.getByLabel('Configuration, command or URL')).toBeFocused()

  await test.step('what was begun is not lost by going elsewhere', async () => {
    const asked: string[] = []
    page.on('dialog', (dialog) => {
      asked.push(dialog.message())
      void dialog.dismiss()
    })
    const main = page.getByRole('navigation', { name: 'Main' })
    for (const way of ['Command', 'URL'])
      await page.getByRole('radio', { name: way, exact: true }).check({ force: true })
    await main.getByRole('link', { name: 'Servers' }).click()
    await expect(page).toHaveURL(/\/servers$/)
    expect(asked).toEqual([])

    await page.getByRole('link', { name: 'Add server' }).click()
    await page.getByLabel('Configuration, command or URL').fill('npx begun')
    await main.getByRole('link', { name: 'Tools' }).click()
    await expect.poll(() => asked.length).toBe(1)
    await expect(page).toHaveURL(/\/servers\/add$/)
    await expect(page.getByLabel('Configuration, command or URL')).toHaveValue('npx begun')
    page.removeAllListeners('dialog')
  })

  await test.step('a paste that is none says what is wrong', async () => {
    await page.getByLabel('Configuration, command or URL').fill('{ "mcpServers": ')
    await page.getByRole('button', { name: 'Review' }).click()
    await expect(page.getByRole('alert')).toBeVisible()
  })

  await test.step('dry run', async () => {
    const paste = { mcpServers: { pasted: { ...everything, env: { MARK: '1' } } } }
    await page.getByLabel('Configuration, command or URL').fill(JSON.stringify(paste))
    await page.getByRole('button', { name: 'Review' }).click()
    await expect(page.getByText(everything.args[0] ?? '')).toBeVisible()
    await page.getByRole('button', { name: 'Try connection' }).click()
    await expect(page.getByRole('heading', { name: /It works: connected in/ })).toBeVisible({ timeout: 20_000 })
    await expect(page.getByText('Nothing has been saved yet', { exact: false })).toBeVisible()
    const saved = (await (await page.request.get('/api/servers')).json()) as { name: string }[]
    expect(saved.map(({ name }) => name)).not.toContain('pasted')
  })

  await test.step('add', async () => {
    await page.getByRole('button', { name: 'Add server' }).click()
    await expect(page).toHaveURL(/\/servers\/pasted$/)
    await expect(page.getByRole('main').getByText('Running').first()).toBeVisible({ timeout: 20_000 })
  })

  await test.step('its tools, and one of them called', async () => {
    await page.getByRole('link', { name: 'Tools', exact: true }).last().click()
    await page.getByRole('searchbox').fill('echo')
    await page.getByRole('row').getByRole('link').first().click()
    await expect(page).toHaveURL(/\/tools\/pasted\/echo$/)
    await page.getByLabel('message').fill('hello from the page')
    await page.getByRole('button', { name: 'Run' }).click()
    await expect(page.getByRole('status').filter({ hasText: 'Done' })).toBeVisible()
    await expect(page.getByRole('group', { name: 'Text' })).toHaveText('Echo: hello from the page')
  })

  await test.step('what it wrote to stderr', async () => {
    await page.goto('/servers/pasted/logs')
    await expect(page.getByRole('log')).toContainText('stderr')
    await page.getByRole('searchbox').fill('no line has this')
    await expect(page.getByRole('heading', { name: 'No line matches' })).toBeVisible()
  })

  await test.step('restart, disable, enable', async () => {
    await page.goto('/servers/pasted')
    const pid = page.locator('dt', { hasText: 'Process ID' }).locator('+ dd')
    const before = await pid.innerText()
    await page.getByRole('button', { name: 'Restart' }).click()
    await expect(pid).not.toHaveText(before, { timeout: 20_000 })
    await page.getByRole('switch', { name: 'pasted on' }).click()
    await expect(page.getByRole('main').getByText('Disabled').first()).toBeVisible()
    await page.getByRole('switch', { name: 'pasted on' }).click()
    await expect(page.getByRole('main').getByText('Running').first()).toBeVisible({ timeout: 20_000 })
  })

  await test.step('settings are changed after a look at the difference, and back', async () => {
    await page.getByRole('link', { name: 'Settings', exact: true }).last().click()
    await page.getByLabel('Value of MARK').fill('2')
    await page.getByRole('button', { name: 'Review and save' }).click()
    const dialog = page.getByRole('dialog')
    await expect(dialog.getByRole('region', { name: 'Changes' })).toContainText('"MARK": "2"')
    await dialog.getByRole('button', { name: 'Save' }).click()
    await expect(dialog).toBeHidden()
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect(page.getByLabel('Value of MARK')).toHaveValue('1')
  })

  await test.step('delete, and put back', async () => {
    await page.goto('/servers')
    await row(page, 'pasted').getByRole('button', { name: 'More actions for pasted' }).click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    await expect(row(page, 'pasted')).toHaveCount(0)
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect(row(page, 'pasted')).toContainText('Running', { timeout: 20_000 })
  })
})

test('a server that cannot start says why, and the same everywhere', async ({ admin: page }) => {
  await page.goto('/')
  const attention = page.getByRole('listitem').filter({ hasText: 'broken' })
  await expect(attention).toContainText('no-such-command-anywhere was not found')
  await attention.getByRole('button', { name: 'Edit broken' }).click()
  await expect(page).toHaveURL(/\/servers\/broken\/settings$/)
  await expect(page.getByLabel('Command')).toHaveValue('no-such-command-anywhere')
  await page.getByRole('button', { name: 'Try connection' }).click()
  await expect(page.getByRole('alert')).toContainText('no-such-command-anywhere was not found')
})

test('several servers are worked with at once, and only those in sight', async ({ admin: page, hub }) => {
  for (const name of ['bulk-one', 'bulk-two', 'other']) {
    const data = { name, config: mcpServer('echo') }
    expect((await page.request.post('/api/servers', { data, headers: { origin: hub.url } })).ok()).toBe(true)
  }
  await page.goto('/servers')
  await page.getByRole('searchbox').fill('bulk')
  await page.getByRole('checkbox', { name: 'Select all' }).check()
  const bar = page.getByRole('toolbar', { name: '2 selected' })
  await bar.getByRole('button', { name: 'Disable' }).click()
  const dialog = page.getByRole('dialog')
  await expect(dialog).toContainText('2 servers will be disabled.')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Disable' }).click()
  await expect(row(page, 'bulk-one')).toContainText('Disabled')
  await expect(row(page, 'bulk-two')).toContainText('Disabled')
  await page
    .getByRole('listitem')
    .filter({ hasText: '2 servers disabled' })
    .getByRole('button', { name: 'Undo' })
    .click()
  await expect(row(page, 'bulk-one')).toContainText('Running')
  await expect(row(page, 'bulk-two')).toContainText('Running')
  await bar.getByRole('button', { name: 'Delete' }).click()
  await expect(page.getByRole('heading', { name: 'No server matches the filter' })).toBeVisible()
  await page.getByRole('button', { name: 'Clear filter' }).click()
  await expect(row(page, 'other')).toContainText('Running')

  // What a menu is of may go while it is open.
  await row(page, 'other').getByRole('button', { name: 'More actions for other' }).click()
  await expect(page.getByRole('menu')).toBeVisible()
  expect((await page.request.delete('/api/servers/other', { headers: { origin: hub.url } })).ok()).toBe(true)
  await expect(row(page, 'other')).toHaveCount(0)
  await expect(page.getByRole('menu')).toHaveCount(0)
})

test('servers are shown as cards, which keys lead through in both directions, and which are remembered', async ({
  admin: page,
  hub,
}) => {
  for (const name of ['card-one', 'card-two']) {
    const data = { name, config: mcpServer('echo') }
    expect((await page.request.post('/api/servers', { data, headers: { origin: hub.url } })).ok()).toBe(true)
  }
  /** How many there is room for. */
  const expectSideBySide = (count: number): Promise<void> =>
    expect
      .poll(
        async () =>
          new Set(await page.getByRole('row').evaluateAll((rows) => rows.map((one) => one.getBoundingClientRect().x)))
            .size,
      )
      .toBe(count)
  await page.goto('/servers')
  await page.getByRole('radio', { name: 'Cards' }).check({ force: true })
  await expect(row(page, 'broken')).toContainText('no-such-command-anywhere was not found')
  await page.reload()
  await expect(row(page, 'card-one')).toContainText('Running')
  await expectAccessible(page)

  // Broken ones first.
  await expectSideBySide(3)
  await page.keyboard.press('j')
  await expect(row(page, 'broken')).toBeFocused()
  await page.keyboard.press('ArrowDown')
  await expect(row(page, 'everything')).toBeFocused()
  await page.keyboard.press('ArrowUp')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Space')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.press('Shift+Space')
  const bar = page.getByRole('toolbar', { name: '2 selected' })
  await expect(bar).toBeVisible()
  await page.keyboard.press('Tab')
  await expect(page.getByRole('checkbox', { name: 'Select card-two' })).toBeFocused()
  await row(page, 'card-two').getByRole('button', { name: 'More actions for card-two' }).press('Enter')
  await expect(page.getByRole('menuitem').first()).toBeFocused()
  await page.keyboard.press('Escape')
  await expect(row(page, 'card-two').getByRole('button', { name: 'More actions for card-two' })).toBeFocused()
  await row(page, 'card-two').getByRole('switch').click()
  await expect(row(page, 'card-two')).toContainText('Disabled')
  await page.setViewportSize({ width: 390, height: 844 })
  await expectSideBySide(1)
  await expectAccessible(page)
  await row(page, 'card-one').focus()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/servers\/card-one$/)
})

test('servers are filtered by the profile that they belong to', async ({ admin: page, hub }) => {
  const data = { config: { servers: { broken: {} } } }
  const headers = { origin: hub.url }
  expect((await page.request.put('/api/profiles/few', { data, headers })).ok()).toBe(true)
  await page.goto('/servers')
  await page.getByLabel('Filter by profile').selectOption('few')
  await expect(page).toHaveURL(/profile=few/)
  await expect(page.getByRole('row')).toHaveCount(2)
  await expect(row(page, 'broken')).toBeVisible()
  expect((await page.request.delete('/api/profiles/few', { headers })).ok()).toBe(true)
})

test('edits that are not saved are asked about before the tab is closed', async ({ admin: page }) => {
  await page.goto('/servers/broken/settings')
  await page.getByLabel('Command').click()
  await page.keyboard.type('x')
  const asked = page.waitForEvent('dialog')
  await page.close({ runBeforeUnload: true })
  const dialog = await asked
  expect(dialog.type()).toBe('beforeunload')
  await dialog.dismiss()
  await expect(page.getByLabel('Command')).toHaveValue(/x/)
  await page.getByRole('button', { name: 'Discard changes' }).click()
})

test('a lost hub is said, and what changed meanwhile is there when it is back', async ({ page, context }) => {
  const env = { MCP_HUB_ADMIN_PASSWORD: PASSWORD, JWT_SECRET: 'the same secret, so that the session goes on' }
  const folder = await temporaryFolder()
  const before = await startWebHub({ first: mcpServer('echo') }, env, folder.path)
  await signIn(context, before.url)
  await page.goto(`${before.url}/servers`)
  await expect(row(page, 'first')).toContainText('Running')
  const editing = await context.newPage()
  await editing.goto(`${before.url}/servers/add?from=command`)
  await editing.getByLabel('Name', { exact: true }).fill('typed')
  const command = editing.getByRole('textbox', { name: 'Command' })
  await command.fill('no-such-command-anywhere')
  await before.close()
  await expect(page.getByRole('alert')).toContainText('The connection to the hub is lost')
  await expect(editing.getByText('The connection to the hub is lost')).toBeVisible()
  await editing.getByRole('button', { name: 'Add server' }).click()
  await expect(editing.getByText('There was no answer. The hub may be stopped or restarting')).toBeVisible()
  await expect(command).toHaveValue('no-such-command-anywhere')
  const { port } = new URL(before.url)
  const after = await startWebHub({ second: mcpServer('echo') }, { ...env, PORT: port }, folder.path)
  try {
    await expect(row(page, 'second')).toContainText('Running')
    await expect(row(page, 'first')).toHaveCount(0)
    await expect(page.getByText('The connection to the hub is lost')).toBeHidden()

    await expect(editing.getByText('The connection to the hub is lost')).toBeHidden()
    await expect(command).toHaveValue('no-such-command-anywhere')
    await editing.getByRole('button', { name: 'Add server' }).click()
    await expect(row(page, 'typed')).toBeVisible()
  } finally {
    await after.close()
    await folder.dispose()
  }
})

test('the page of a server is there after a reload, also where its name looks like a file', async ({ admin: page }) => {
  await page.goto('/servers/acme.notes')
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible()
  await page.goto('/tools/acme.notes/notes.create')
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible()
  for (const file of ['/assets/gone-1.js', '/schemas/gone.json', '/favicon.ico'])
    expect((await page.request.get(file)).status(), file).toBe(404)
})

test('code that an upgrade took away is told, with the way to where one wanted to go', async ({ admin: page }) => {
  await page.goto('/')
  await page.route('**/assets/ProfilesPage-*.js', (route) => route.fulfill({ status: 404 }))
  await page.getByRole('link', { name: 'Profiles' }).click()
  await expect(page.getByText('A part of this page could not be loaded')).toBeVisible()
  await expect(page).toHaveURL(/\/$/)
  await page.unroute('**/assets/ProfilesPage-*.js')
  await page.getByRole('button', { name: 'Reload' }).click()
  await expect(page.getByRole('heading', { name: 'Profiles', level: 1 })).toBeVisible()
})
