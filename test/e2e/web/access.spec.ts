import type { Page, Route } from '@playwright/test'
import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { expect, signIn, test } from './fixtures.ts'

const cli = path.join(import.meta.dirname, '..', '..', '..', 'dist', 'hub', 'cli.js')

async function choose(page: Page, name: string, item: string): Promise<void> {
  await page.getByRole('button', { name: `More for ${name}` }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}

test('a user is made, narrowed, stopped and deleted', async ({ admin: page, browser, hub }) => {
  await page.goto('/access')
  await expect(page).toHaveURL(/\/access\/users$/)
  await page.getByRole('button', { name: 'New user' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('with/slash')
  await expect(dialog.getByText('A name has no /')).toBeVisible()
  await expect(dialog.getByRole('button', { name: 'Create user' })).toBeDisabled()
  await dialog.getByLabel('Name').fill('tester')
  await dialog.getByLabel('Role').selectOption({ label: 'Viewer' })
  await test.step('a dialog that waits for what is told once cannot be left', async () => {
    const asked = Promise.withResolvers<Route>()
    await page.route('**/api/users', (route) => asked.resolve(route), { times: 1 })
    await dialog.getByRole('button', { name: 'Create user' }).click()
    const held = await asked.promise
    await page.keyboard.press('Escape')
    await page.mouse.click(5, 5)
    await expect(dialog.getByRole('button', { name: 'Cancel' })).toBeDisabled()
    await expect(dialog.getByRole('button', { name: 'Close' })).toBeDisabled()
    await held.continue()
  })
  await expect(page.getByRole('heading', { name: 'Password of tester' })).toBeVisible()
  const password = await page.getByTestId('one-time-secret').innerText()
  await page.getByRole('button', { name: 'I have saved it' }).click()
  const row = page.getByRole('main').getByRole('listitem').filter({ hasText: 'tester' })
  await expect(row).toContainText('Must change the password')
  await expect(row).toContainText('Viewer')

  const other = await browser.newContext({ baseURL: hub.url })
  const signedIn = await other.request.post('/api/auth/login', {
    headers: { origin: hub.url },
    data: { username: 'tester', password },
  })
  expect(signedIn.ok()).toBe(true)

  await choose(page, 'tester', 'Edit')
  await dialog.getByText('Only…').click()
  await dialog.getByLabel('Servers').fill('every*')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(row).toContainText('server every*')

  await choose(page, 'tester', 'Disable')
  await dialog.getByRole('button', { name: 'Disable' }).click()
  await expect(row).toContainText('Disabled')
  expect((await other.request.get('/api/hub')).status()).toBe(401)
  await choose(page, 'tester', 'Enable')
  await expect(row).not.toContainText('Disabled')

  await choose(page, 'tester', 'Delete')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(row).toHaveCount(0)
  await other.close()

  await choose(page, 'admin', 'Delete')
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(dialog).toContainText('admin is the only administrator')
})

test('a key is shown once, opens the endpoint, and is taken away', async ({ admin: page, hub }) => {
  await page.goto('/access/keys')
  await expect(page.getByText('There are no keys yet')).toBeVisible()
  await page.getByRole('button', { name: 'New key' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('laptop')
  await dialog.getByLabel('Ends').selectOption({ label: 'In 30 days' })
  await dialog.getByRole('button', { name: 'Create key' }).click()
  await expect(page.getByRole('heading', { name: 'Key laptop' })).toBeVisible()
  const secret = await page.getByTestId('one-time-secret').innerText()
  await page.getByRole('button', { name: 'I have saved it' }).click()

  const discover = (): Promise<number> =>
    fetch(`${hub.url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secret}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'initialize',
        params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
      }),
    }).then(({ status }) => status)
  expect(await discover()).toBe(200)
  await page.reload()
  const row = page.getByRole('main').getByRole('listitem').filter({ hasText: 'laptop' })
  await expect(row).toContainText('Last used')
  await expect(page.getByText(secret)).toHaveCount(0)

  await row.getByRole('button', { name: 'Edit the key laptop' }).click()
  await dialog.getByLabel('Name').fill('old laptop')
  await dialog.getByLabel('Ends').selectOption({ label: 'Never ends' })
  await expect(dialog.getByLabel('Tool search')).toHaveValue('profile')
  await dialog.getByLabel('Tool search').selectOption({ label: 'On: four tools to find all others with' })
  await dialog.getByRole('button', { name: 'Save' }).click()
  const renamed = page.getByRole('main').getByRole('listitem').filter({ hasText: 'old laptop' })
  await expect(renamed).toContainText('Never ends')
  await expect(renamed).toContainText('Tool search on')

  await page.getByRole('button', { name: 'Delete the key old laptop?' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(page.getByText('There are no keys yet')).toBeVisible()
  expect(await discover()).toBe(401)
})

test('a deploy key is enrolled with a code that is shown once', async ({ admin: page, hub }, info) => {
  await page.goto('/access/keys')
  await page.getByRole('button', { name: 'New deploy key' }).click()
  const dialog = page.getByRole('dialog')
  await dialog.getByLabel('Name').fill('ci')
  await dialog.getByLabel('Days that the key lasts').fill('366')
  await expect(dialog.getByText('A whole number from 1 to 365.')).toBeVisible()
  await expect(dialog.getByRole('button', { name: 'Create code' })).toBeDisabled()
  await dialog.getByLabel('Days that the key lasts').fill('7')
  await dialog.getByLabel('It may change which programs run').check()
  await dialog.getByRole('button', { name: 'Create code' }).click()
  await expect(page.getByRole('heading', { name: 'Code for ci' })).toBeVisible()
  const code = await page.getByTestId('one-time-secret').innerText()
  const command = await dialog.getByText('mcp-hub config enrol').innerText()
  expect(command).toContain(`--hub ${hub.url} `)
  await page.getByRole('button', { name: 'I have saved it' }).click()
  const row = page.getByRole('main').getByRole('listitem').filter({ hasText: 'config:push, servers:exec' })
  await expect(row).toContainText('Code for a deploy key')

  // The command as it is shown, but for where the program is and where it writes.
  const words = command.replace('hub.key', info.outputPath('hub.key')).split(' ').slice(1)
  execFileSync(process.execPath, [cli, ...words], { input: `${code}\n` })
  await page.reload()
  await expect(page.getByText(code)).toHaveCount(0)
  await expect(row).toContainText('Deploy key')
  await expect(row).toContainText(/ends in [67] days/)

  // It may end earlier, and never later.
  await row.getByRole('button', { name: 'Edit the key ci' }).click()
  await expect(dialog.getByLabel('Ends').getByRole('option')).toHaveText(['As it is', 'On a day…'])
  await page.keyboard.press('Escape')
  await row.getByRole('button', { name: 'Delete the key ci?' }).click()
  await dialog.getByRole('button', { name: 'Delete' }).click()
  await expect(row).toHaveCount(0)
})

test('another sign-in is ended', async ({ admin: page, browser, hub }) => {
  const other = await browser.newContext({
    baseURL: hub.url,
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
  })
  await signIn(other, hub.url)
  await page.goto('/access/sessions')
  await page.getByRole('button', { name: 'Sign out admin, Firefox 140, Linux' }).click()
  await expect(page.getByText('admin is signed out there')).toBeVisible()
  await expect(page.getByText('Firefox 140, Linux')).toHaveCount(0)
  await expect(page.getByText('This browser')).toBeVisible()
  expect((await other.request.get('/api/hub')).status()).toBe(401)
  await other.close()
})

test('what was administered is written down, found, opened and verified', async ({ admin: page, hub }) => {
  await page.request.post('/api/servers/everything/restart', { headers: { origin: hub.url } })
  await page.goto('/access/audit')
  const grid = page.getByRole('grid', { name: 'Audit log' })
  await page.getByLabel('Search the audit log').fill('restart')
  await expect(grid.getByRole('button', { name: /restart/ }).first()).toBeVisible()
  await expect(page).toHaveURL(/q=restart/)
  await grid
    .getByRole('button', { name: /restart/ })
    .first()
    .click()
  await expect(page.getByRole('dialog')).toContainText('everything')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: 'Verify' }).click()
  await expect(page.getByText(/The chain of \d+ entr(y|ies) is whole/)).toBeVisible()
})

test('who may only look finds their own sign-ins, and nothing to administer', async ({ admin: page, browser, hub }) => {
  const made = await page.request.post('/api/users', {
    headers: { origin: hub.url },
    data: { name: 'onlooker', role: 'viewer', password: 'first long password' },
  })
  expect(made.status()).toBe(201)
  const context = await browser.newContext({ baseURL: hub.url })
  const headers = { origin: hub.url }
  await context.request.post('/api/auth/login', {
    headers,
    data: { username: 'onlooker', password: 'first long password' },
  })
  await context.request.post('/api/auth/password', {
    headers,
    data: { current: 'first long password', next: 'another quite long one' },
  })
  const theirs = await context.newPage()
  await theirs.goto('/access')
  await expect(theirs).toHaveURL(/\/access\/sessions$/)
  const tabs = theirs.getByRole('navigation', { name: 'Parts of access' })
  await expect(tabs.getByRole('link')).toHaveText(['Sign-ins'])
  await expect(theirs.getByText('This browser')).toBeVisible()

  await theirs.getByRole('button', { name: 'Change your password' }).click()
  await theirs.getByLabel('Present password').fill('not the present one')
  await theirs.getByLabel('New password', { exact: true }).fill('yet another long one')
  await theirs.getByLabel('New password again').fill('yet another long one')
  await theirs.getByRole('button', { name: 'Change password' }).click()
  await expect(theirs.getByText('The password could not be changed')).toBeVisible()
  await theirs.getByLabel('Present password').fill('another quite long one')
  await theirs.getByRole('button', { name: 'Change password' }).click()
  await expect(theirs.getByText('The password is changed')).toBeVisible()
  await expect(theirs.getByText('This browser')).toBeVisible()
  await context.close()
})
