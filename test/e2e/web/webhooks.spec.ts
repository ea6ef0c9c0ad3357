import { startWebhookReceiver, type WebhookReceiver } from '../../fixtures/webhook-receiver.ts'
import { expect, expectAccessible, signIn, test } from './fixtures.ts'
import { PASSWORD, startWebHub, type WebHub } from './hub.ts'

let receiver: WebhookReceiver
let hub: WebHub
test.beforeAll(async () => {
  receiver = await startWebhookReceiver()
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  hub = await startWebHub({}, { MCP_HUB_ADMIN_PASSWORD: PASSWORD }, undefined, {
    monitoring: { webhooks: { ops: { url: receiver.url, secret, events: ['server.failed', 'hub.started'] } } },
  })
})
test.afterAll(async () => {
  await hub.close()
  receiver.close()
})

test('an administrator sees what webhooks were sent, and tries one', async ({ page, context }) => {
  await signIn(context, hub.url)
  await page.goto(`${hub.url}/settings`)
  const section = page.getByRole('region', { name: 'Webhooks' })
  const deliveries = section.getByRole('list', { name: 'Newest messages to ops' }).getByRole('listitem')
  await expect(deliveries).toHaveCount(1)
  await expect(deliveries).toContainText('hub.started')
  await expect(deliveries).toContainText('delivered')

  await section.getByRole('button', { name: 'Send a test message to ops' }).click()
  await expect(page.getByText('ops took the test message')).toBeVisible()
  await expect(deliveries.first()).toContainText('webhook.test')
  expect(receiver.received.map(({ body }) => body.type)).toEqual(['hub.started', 'webhook.test'])

  receiver.answers.push(500)
  await section.getByRole('button', { name: 'Send a test message to ops' }).click()
  await expect(page.getByText('The test message did not reach ops')).toBeVisible()
  await expect(deliveries.first()).toContainText('The receiver answered 500')

  await section.getByRole('button', { name: 'Add webhook' }).focus()
  await page.keyboard.press('Enter')
  const dialog = page.getByRole('dialog')
  await expect(dialog.getByRole('button', { name: 'Close' })).toBeFocused()
  await page.keyboard.press('Tab')
  await expect(dialog.getByLabel('Name')).toBeFocused()
  await page.keyboard.type('ops')
  await expect(dialog.getByText('There is one of that name')).toBeVisible()
  await dialog.getByLabel('Name').fill('second')
  await dialog.getByLabel('tools.changed').uncheck()
  await dialog.getByLabel('Address').fill('https://169.254.169.254/latest')
  await page.keyboard.press('Enter')
  const address = dialog.getByLabel('Address')
  await expect(address).toHaveAccessibleDescription(/169\.254\.169\.254 is not on the internet/)
  await expect(address).toBeFocused()
  await expectAccessible(page)
  await dialog.getByLabel('Address').fill(receiver.url)
  await page.keyboard.press('Enter')
  await expect(page.getByTestId('one-time-secret')).toContainText(/^whsec_/)
  await page.getByRole('dialog').getByRole('button', { name: 'I have saved it' }).click()
  await section.getByRole('button', { name: 'Send a test message to second' }).click()
  await expect(page.getByText('second took the test message')).toBeVisible()

  await page.reload()
  const secrets = page.getByRole('region', { name: 'Secrets' })
  const key = secrets.getByRole('listitem').filter({ hasText: 'monitoring.webhooks.second.secret' })
  await key.getByRole('button', { name: /^Delete/ }).click()
  await expect(page.getByRole('alert')).toContainText('The settings refer to it (monitoring.webhooks.second.secret)')
  await page.keyboard.press('Escape')

  await section.getByRole('button', { name: 'Change second' }).click()
  await expect(dialog.getByLabel('tools.changed')).not.toBeChecked()
  await dialog.getByLabel('Send messages').uncheck()
  await dialog.getByRole('button', { name: 'Save' }).click()
  const second = section.getByRole('article').nth(1)
  await expect(second).toContainText('off')
  await section.getByRole('button', { name: 'Remove second' }).click()
  await expect(section.getByRole('article')).toHaveCount(1)
  await page.getByRole('button', { name: 'Undo' }).click()
  await expect(second).toContainText('off')
  await expect(second).not.toContainText('tools.changed')
  await expectAccessible(page)
})
