import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, expectAccessible, mcpServer, signIn, test } from './fixtures.ts'
import { startWebHub, type WebHub } from './hub.ts'

// One of its own: it rewrites the configuration under the hub.
let hub: WebHub
test.beforeAll(async () => {
  hub = await startWebHub({ other: mcpServer('echo') })
})
test.afterAll(() => hub.close())

test('a program that was changed in the file is shown before and after, and runs once somebody agreed', async ({
  page,
  context,
}) => {
  await signIn(context, hub.url)
  const echo = mcpServer('echo')
  const write = (file: string, content: unknown): Promise<void> =>
    writeFile(path.join(hub.configDir, file), JSON.stringify(content))
  await write('system.json', { auth: { bcryptRounds: 10 }, server: { execConsent: true } })
  await expect
    .poll(async () => (await page.request.get(`${hub.url}/api/servers/other/consent`)).text())
    .toContain('"needed":true')
  // Added in the app, so that it is agreed to.
  const headers = { origin: hub.url }
  const added = await page.request.post(`${hub.url}/api/servers`, { headers, data: { name: 'guarded', config: echo } })
  expect(added.status()).toBe(201)
  await page.goto(`${hub.url}/servers/guarded`)
  await expect(page.getByText('Running').first()).toBeVisible()

  const changed = { ...echo, args: ['--no-warnings', ...echo.args] }
  await write('servers.json', { mcpServers: { guarded: changed } })
  await expect(page.getByText('nobody has agreed to run it').first()).toBeVisible()
  await page.getByRole('button', { name: 'Look at the changed command of guarded' }).first().click()
  const dialog = page.getByRole('dialog', { name: 'Run the changed program of guarded?' })
  await expect(dialog).toContainText('--no-warnings')
  await expect(dialog.getByRole('heading', { name: 'What you agreed to before' })).toBeVisible()
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Run it' }).click()
  await expect(dialog).toBeHidden()
  await expect(page.getByText('Running').first()).toBeVisible()
})
