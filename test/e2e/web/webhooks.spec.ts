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
  await expectAccessible(page)
})
