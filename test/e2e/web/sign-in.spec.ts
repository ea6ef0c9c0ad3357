import type { Route } from '@playwright/test'
import { expect, expectAccessible, signIn, test } from './fixtures.ts'
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

  await test.step('who is not signed in then gets the door', async () => {
    await page.context().clearCookies()
    await page.route('**/api/auth/me', (route) => route.fulfill({ status: 500 }))
    await page.goto('/servers?q=every')
    await expect(alert).toContainText('HTTP 500')
    await page.unroute('**/api/auth/me')
    await alert.getByRole('button', { name: 'Try again' }).click()
    await expect(page).toHaveURL(/\/login\?next=\/servers\?q(=|%3D)every$/)
    await expect(page.getByLabel('Password')).toBeVisible()
  })
})

test('a password that is too old while somebody works is asked for at the first refusal', async ({ admin: page }) => {
  await page.goto('/')
  await expect(page.getByRole('heading', { name: 'Overview', level: 1 })).toBeVisible()
  const code = 'HUB_PASSWORD_CHANGE_NEEDED'
  const refusal = { type: 'about:blank', status: 403, code, title: 'Forbidden', detail: 'Change it first' }
  await page.route('**/api/users', (route) => route.fulfill({ status: 403, json: refusal }))
  await page.route('**/api/auth/me', async (route) => {
    const me = (await (await route.fetch()).json()) as object
    await route.fulfill({ json: { ...me, permissions: [], mustChangePassword: true } })
  })
  await page.getByRole('link', { name: 'Access' }).click()
  await expect(page.getByRole('heading', { name: 'Change your password' })).toBeVisible()
})

test('a session that ends in the middle of an edit is taken up again over the page, with all that was typed', async ({
  admin: page,
}) => {
  await page.goto('/servers/add')
  const typed = 'npx -y @acme/mcp-server-notes --read-only'
  await page.getByRole('textbox').first().fill(typed)
  // A sign-out that fails is none: what ends later takes the person by surprise.
  await page.route('**/api/auth/logout', (route) => route.abort())
  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByText('You could not be signed out')).toBeVisible()
  await page.context().clearCookies()
  await page.getByRole('button', { name: 'Review' }).click()

  const dialog = page.getByRole('dialog', { name: 'Your session has ended' })
  await expect(dialog).toContainText('Sign in again as admin')
  await expect(dialog.getByLabel('Password')).toBeFocused()
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await page.keyboard.press('ControlOrMeta+k')
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

test('a session that ends in a dialog is taken up again over it, left for good, or ended for all tabs', async ({
  admin: page,
  hub,
}) => {
  const again = page.getByRole('dialog', { name: 'Your session has ended' })
  const edit = page.getByRole('dialog', { name: 'New user' })
  const name = edit.getByLabel('Name')
  async function endInDialog(): Promise<void> {
    await page.getByRole('button', { name: 'New user' }).click()
    await name.fill('carol')
    await page.context().clearCookies()
    await edit.getByRole('button', { name: 'Create user' }).click()
    await expect(again.getByLabel('Password')).toBeFocused()
  }

  await test.step('the dialog below waits, out of reach, with what was typed', async () => {
    await page.goto('/access/users')
    await endInDialog()
    await page.keyboard.press('Escape')
    for (let presses = 0; presses < 4; presses++) {
      await page.keyboard.press('Tab')
      await expect(again.locator(':focus')).toHaveCount(1)
    }
    await again.getByLabel('Password').fill(PASSWORD)
    await page.keyboard.press('Enter')
    await expect(again).toBeHidden()
    await expect(name).toHaveValue('carol')
    await expect(edit.locator(':focus')).toHaveCount(1)
    await page.keyboard.press('Escape')
    await expect(edit).toBeHidden()
  })

  await test.step('who leaves is not asked again by what is refused meanwhile', async () => {
    await endInDialog()
    const asked = Promise.withResolvers<Route>()
    await page.route('**/api/auth/me', (route) => asked.resolve(route), { times: 1 })
    await again.getByRole('button', { name: 'Leave this page' }).click()
    const held = await asked.promise
    const refused = page.waitForResponse('**/api/auth/refresh')
    await edit.getByRole('button', { name: 'Create user' }).click()
    await refused
    await expect(edit.getByRole('alert')).toBeVisible()
    await expect(again).toBeHidden()
    await held.continue()
    await expect(page).toHaveURL(/\/login\?next=\/access\/users$/)
    await expect(page.getByRole('dialog')).toHaveCount(0)
  })

  await test.step('a sign-out in another tab is meant for this one, too', async () => {
    await signIn(page.context(), hub.url)
    await page.goto('/access/users')
    await expect(page.getByRole('button', { name: 'New user' })).toBeVisible()
    const carol = { name: 'carol', role: 'operator', password: PASSWORD, scope: { servers: ['broken'] } }
    const made = await page.request.post('/api/users', { data: carol, headers: { origin: hub.url } })
    expect(made.status()).toBe(201)
    await page.getByRole('link', { name: /^Servers/ }).click()
    await expect(page.getByRole('link', { name: 'everything' })).toBeVisible()
    await page.goto('/tools/everything/echo')
    await page.getByLabel(/^message/i).fill('typed by the administrator')
    const kept = (): Promise<string> => page.evaluate(() => JSON.stringify(sessionStorage))
    await expect.poll(kept).toContain('typed by the administrator')
    await page.getByRole('link', { name: /^Servers/ }).click()
    const other = await page.context().newPage()
    await other.goto('/settings')
    await other.getByRole('button', { name: 'Sign out' }).click()
    await expect(other).toHaveURL(/\/login/)
    await page.getByRole('link', { name: 'Activity' }).click()
    await expect(page).toHaveURL(/\/login/)
    await expect(again).toHaveCount(0)
  })

  await test.step('who signs in next in that tab sees nothing of the last one', async () => {
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain('typed by the administrator')
    await page.getByLabel('User name').fill('carol')
    await page.getByLabel('Password').fill(PASSWORD)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByLabel('Present password').fill(PASSWORD)
    await page.getByLabel('New password', { exact: true }).fill('another long enough password')
    await page.getByLabel('New password again').fill('another long enough password')
    await page.getByRole('button', { name: 'Change password' }).click()
    await page.getByRole('link', { name: /^Servers/ }).click()
    await expect(page.getByRole('link', { name: 'broken' })).toBeVisible()
    await expect(page.getByRole('link', { name: 'everything' })).toHaveCount(0)
  })
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
