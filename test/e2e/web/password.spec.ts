import { expect, test } from '@playwright/test'
import { PASSWORD, startWebHub } from './hub.ts'

test('somebody with a password from an administrator must change it, and then stays signed in', async ({ page }) => {
  const token = 'token-of-the-administrator'
  // So short that the page has to renew it while it is being used, and longer than the second that its end is rounded to.
  const hub = await startWebHub({}, { MCP_HUB_TOKEN: token, JWT_EXPIRES_IN: '2s' })
  try {
    const made = await fetch(`${hub.url}/api/users`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ name: 'ann', role: 'operator' }),
    })
    const { initialPassword } = (await made.json()) as { initialPassword: string }

    await page.goto(hub.url)
    await page.getByLabel('User name').fill('ann')
    await page.getByLabel('Password').fill(initialPassword)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await expect(page.getByRole('heading', { name: 'Change your password' })).toBeVisible()

    await page.getByRole('button', { name: 'Sign out' }).click()
    await expect(page).toHaveURL(/\/login$/)
    await page.getByLabel('User name').fill('ann')
    await page.getByLabel('Password').fill(initialPassword)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByLabel('Present password').fill(initialPassword)
    await page.getByLabel('New password', { exact: true }).fill('password1234')
    await page.getByLabel('New password again').fill('password1234')
    await page.getByRole('button', { name: 'Change password' }).click()
    await expect(page.getByText('The password would be guessed')).toBeVisible()
    await page.getByLabel('New password', { exact: true }).fill(PASSWORD)
    await page.getByLabel('New password again').fill(PASSWORD)
    await page.getByRole('button', { name: 'Change password' }).click()
    await expect(page.getByRole('link', { name: 'Servers', exact: true })).toBeVisible()

    const renewed = page.waitForResponse((response) => response.url().endsWith('/api/auth/refresh') && response.ok())
    await expect
      .poll(async () => page.evaluate(async () => (await fetch('/api/hub')).status), { timeout: 10_000 })
      .toBe(401)
    await page.reload()
    await renewed
    await page.getByRole('link', { name: 'Servers', exact: true }).click()
    await expect(page.getByRole('heading', { name: 'Servers', exact: true })).toBeVisible()

    const password = 'another long enough password'
    const reset = await fetch(`${hub.url}/api/users/ann/password`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ password }),
    })
    expect(reset.status).toBe(200)
    await page.getByRole('link', { name: 'Profiles', exact: true }).click()
    const again = page.getByRole('dialog', { name: 'Your session has ended' })
    await again.getByLabel('Password').fill(password)
    await again.getByRole('button', { name: 'Sign in' }).click()
    await expect(page.getByRole('heading', { name: 'Change your password' })).toBeVisible()
    await page.getByLabel('Present password').fill(password)
    await page.getByLabel('New password', { exact: true }).fill(`${password}, changed`)
    await page.getByLabel('New password again').fill(`${password}, changed`)
    await page.getByRole('button', { name: 'Change password' }).click()
    await expect(page).toHaveURL(/\/profiles$/)
  } finally {
    await hub.close()
  }
})
