import { expect, expectAccessible, test } from './fixtures.ts'
import { PASSWORD, startWebHub } from './hub.ts'

test('a wrong password is told without telling whether the user exists, and the right one leads where one wanted to go', async ({
  page,
}) => {
  await page.goto('/settings')
  await expect(page).toHaveURL(/\/login\?next=\/settings$/)
  await expect(page.getByLabel('User name')).toBeFocused()

  const messages: string[] = []
  for (const name of ['admin', 'nobody']) {
    await page.getByLabel('User name').fill(name)
    await page.getByLabel('Password').fill('wrong')
    await page.getByLabel('Password').press('Enter')
    await expect(page.getByRole('alert')).toContainText('You could not be signed in')
    await expect(page.getByLabel('Password')).toHaveValue('')
    messages.push(await page.getByRole('alert').innerText())
  }
  expect(messages[0]).toBe(messages[1])

  await page.getByLabel('User name').fill('admin')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page).toHaveURL(/\/settings$/)
  await expect(page.getByRole('heading', { name: 'Settings', level: 1 })).toBeVisible()

  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page).toHaveURL(/\/login/)
  await page.goto('/servers')
  await expect(page).toHaveURL(/\/login/)
})

test('a hub that cannot say who is signed in shows that and no page, until it can', async ({ admin: page }) => {
  const failing = { status: 500, code: 'HUB_INTERNAL', title: 'Internal error', detail: 'the users cannot be read' }
  await page.route('**/api/auth/me', (route) =>
    route.fulfill({ status: 500, contentType: 'application/problem+json', json: { type: 'about:blank', ...failing } }),
  )
  await page.goto('/')
  const alert = page.getByRole('alert')
  await expect(alert).toContainText('The hub cannot say who is signed in')
  await expect(alert).toContainText('the users cannot be read')
  // Asked again and again: the page does not come and go with it.
  await page.waitForResponse('**/api/auth/me')
  await expect(alert.getByRole('button', { name: 'Try again' })).toBeVisible()
  await expect(page.getByRole('heading', { name: 'Overview' })).toHaveCount(0)
  await expectAccessible(page)
  await page.unroute('**/api/auth/me')
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible()
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible()
})

test('a session that ends in the middle of an edit is taken up again over the page, with all that was typed', async ({
  admin: page,
}) => {
  await page.goto('/servers/add')
  const typed = 'npx -y @acme/mcp-server-notes --read-only'
  await page.getByRole('textbox').first().fill(typed)
  await page.context().clearCookies()
  await page.getByRole('button', { name: 'Review' }).click()

  const dialog = page.getByRole('dialog', { name: 'Your session has ended' })
  await expect(dialog).toContainText('Sign in again as admin')
  await expect(dialog.getByLabel('Password')).toBeFocused()
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await page.keyboard.type('wrong')
  await page.keyboard.press('Enter')
  await expect(dialog.getByRole('alert')).toContainText('You could not be signed in')
  await dialog.getByLabel('Password').fill(PASSWORD)
  await page.keyboard.press('Enter')
  await expect(dialog).toBeHidden()

  await expect(page.getByRole('textbox').first()).toHaveValue(typed)
  await page.getByRole('button', { name: 'Review' }).click()
  await expect(page.getByText('@acme/mcp-server-notes').first()).toBeVisible()
  await expect(page.getByRole('button', { name: /^Add/ }).last()).toBeVisible()

  await page.context().clearCookies()
  await page.goto('/servers')
  await expect(page).toHaveURL(/\/login/)
})

test('a link may not send somebody who signs in elsewhere', async ({ page }) => {
  await page.goto('/login?next=//example.com/')
  await page.getByLabel('User name').fill('admin')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByLabel('Password').press('Enter')
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible()
  expect(new URL(page.url()).pathname).toBe('/')
})

test('the link that a new hub prints makes the first administrator, once', async ({ page }) => {
  const hub = await startWebHub({}, {})
  try {
    await expect.poll(() => hub.output()).toContain('/setup?code=')
    const link = /http\S+\/setup\?code=\S+/.exec(hub.output())?.[0] ?? ''
    await page.goto(hub.url)
    await expect(page).toHaveURL(/\/setup$/)

    await page.getByLabel('Setup code').fill('guessed')
    await page.getByLabel('New password', { exact: true }).fill('short')
    await expect(page.getByText(/At least \d+ characters/)).toBeVisible()
    await page.getByLabel('New password', { exact: true }).fill(PASSWORD)
    await page.getByLabel('New password again').fill('another one')
    await expect(page.getByText('The two passwords differ')).toBeVisible()
    await expect(page.getByRole('button', { name: 'Create administrator' })).toBeDisabled()
    await page.getByLabel('New password again').fill(PASSWORD)
    await page.getByRole('button', { name: 'Create administrator' }).click()
    await expect(page.getByRole('alert')).toContainText('The setup code is wrong')

    await page.goto(link)
    await page.getByLabel('New password', { exact: true }).fill(PASSWORD)
    await page.getByLabel('New password again').fill(PASSWORD)
    await page.getByRole('button', { name: 'Create administrator' }).click()
    await expect(page).toHaveURL(/\/(login)?$/)

    await page.goto(link)
    await expect(page).not.toHaveURL(/\/setup/)
  } finally {
    await hub.close()
  }
})
