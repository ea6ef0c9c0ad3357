import { expect, test, type Page } from '@playwright/test'
import {
  USER_HEADER,
  startAuthorizationServer,
  type AuthorizationServer,
} from '../../fixtures/oauth/authorization-server.ts'
import { startResourceServer, type ResourceServer } from '../../fixtures/oauth/resource-server.ts'
import { PASSWORD, startWebHub, type WebHub } from './hub.ts'

let as: AuthorizationServer
let server: ResourceServer
let hub: WebHub

test.beforeEach(async () => {
  as = await startAuthorizationServer()
  server = await startResourceServer(as)
  hub = await startWebHub({ guarded: { type: 'http', url: server.url } })
})
test.afterEach(async () => {
  await hub.close()
  await server.close()
  await as.close()
})

async function login(page: Page): Promise<void> {
  await page.goto(`${hub.url}/login`)
  await page.getByLabel('User name').fill('admin')
  await page.getByLabel('Password').fill(PASSWORD)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await expect(page.getByRole('link', { name: 'Settings' })).toBeVisible()
}

test('a person signs in to a remote server with the browser, sees the account, and signs out', async ({
  page,
  context,
}) => {
  // Who signs in on the pages of the service.
  await context.setExtraHTTPHeaders({ [USER_HEADER]: 'alice' })
  await login(page)
  await page.goto(`${hub.url}/servers/guarded`)
  const opened = context.waitForEvent('page')
  await page.getByRole('button', { name: 'Sign in: guarded' }).first().click()
  await expect((await opened).getByRole('heading', { name: 'Signed in to guarded' })).toBeVisible()

  const account = page.getByRole('region', { name: 'Account' })
  await expect(account.getByText(as.issuer)).toBeVisible()
  await expect(account.getByText('mcp:read')).toBeVisible()
  await expect(page.getByText('Running').first()).toBeVisible()

  await page.getByRole('link', { name: 'Settings' }).first().click()
  const accounts = page.getByRole('region', { name: 'Accounts' })
  await expect(accounts.getByText('Signed in', { exact: true }).first()).toBeVisible()
  await accounts.getByRole('button', { name: 'Sign out: guarded' }).click()
  await expect(accounts.getByText('Needs a sign-in')).toBeVisible()
  expect(as.revoked).toEqual(['refresh_token', 'access_token'])
})

test('a server that signs in elsewhere than before is signed in to only after a question', async ({
  page,
  context,
}) => {
  await context.setExtraHTTPHeaders({ [USER_HEADER]: 'alice' })
  await login(page)
  await page.goto(`${hub.url}/servers/guarded`)
  const first = context.waitForEvent('page')
  await page.getByRole('button', { name: 'Sign in: guarded' }).first().click()
  await expect((await first).getByRole('heading', { name: 'Signed in to guarded' })).toBeVisible()

  const other = await startAuthorizationServer()
  server.authorizationServer = other
  server.accepts = other
  await page.bringToFront()
  await page.getByRole('button', { name: 'Sign in again: guarded' }).click()
  const question = page.getByRole('dialog', { name: 'Sign in elsewhere than before?' })
  await expect(question.getByText(other.issuer).first()).toBeVisible()
  expect(other.registrations).toBe(0)
  const second = context.waitForEvent('page')
  await question.getByRole('button', { name: 'Sign in there' }).click()
  await expect((await second).getByRole('heading', { name: 'Signed in to guarded' })).toBeVisible()
  await expect(page.getByRole('region', { name: 'Account' }).getByText(other.issuer)).toBeVisible()
  await other.close()
})
