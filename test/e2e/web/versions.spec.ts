import { expect, expectAccessible, test } from './fixtures.ts'

interface Portable {
  etag: string
  profiles: { profiles: Record<string, unknown> }
  servers: { mcpServers: Record<string, unknown> }
}

test('a change is a version; going back brings the old configuration into force', async ({ admin: page, hub }) => {
  const removed = await page.request.delete('/api/servers/broken', { headers: { origin: hub.url } })
  expect(removed.ok()).toBe(true)
  await page.goto('/settings')
  await page.getByRole('link', { name: 'Configuration versions' }).click()
  await expect(page.getByRole('heading', { name: 'Configuration versions', level: 1 })).toBeVisible()
  await expect(page.getByText('Server broken removed').first()).toBeVisible()

  await page.getByText('What the hub found at its first start').click()
  await expect(page.getByRole('region', { name: 'servers.json' })).toContainText('"broken"')
  await page.getByRole('button', { name: 'Go back to this version' }).click()
  await page.getByLabel('Reason (optional)').fill('It is needed after all')
  await page.getByRole('dialog').getByRole('button', { name: 'Go back to this version' }).click()
  await expect(page.getByText('Version 1 is in force again')).toBeVisible()
  await expect(page.getByText('It is needed after all')).toBeVisible()
  await page.goto('/servers')
  await expect(page.getByRole('link', { name: 'broken' })).toBeVisible()
})

test('users go back to a version of theirs, without a hash on the page, and pushes tell what became of them', async ({
  admin: page,
  hub,
}) => {
  const headers = { origin: hub.url }
  const user = { name: 'bob', role: 'user', password: 'a passphrase nobody has 42' }
  expect((await page.request.post('/api/users', { headers, data: user })).ok()).toBe(true)
  await page.goto('/settings/versions')
  await page.getByRole('link', { name: 'Users and keys' }).click()
  await expect(page.getByText('User bob added')).toBeVisible()
  await page.getByText('Version 2', { exact: true }).click()
  await expect(page.getByRole('list', { name: 'Changes of users and keys' })).toContainText('User bob removed')
  expect(await page.content()).not.toMatch(/\$2[aby]\$/)
  await page.getByRole('button', { name: 'Go back to this version' }).click()
  await page.getByLabel('Reason (optional)').fill('He left')
  await page.getByRole('dialog').getByRole('button', { name: 'Go back to this version' }).click()
  await expect(page.getByText('Version 2 is in force again')).toBeVisible()
  await expect(page.getByText('User bob removed').first()).toBeVisible()
  expect((await page.request.get('/api/users/bob')).status()).toBe(404)

  await page.getByRole('link', { name: 'Pushes' }).click()
  await expect(page.getByText('Nothing was pushed to this hub')).toBeVisible()
  const { etag, profiles } = (await (await page.request.get('/api/admin/config')).json()) as Portable
  const pushed = await page.request.put('/api/admin/config', {
    headers: { ...headers, 'if-match': etag },
    data: { profiles: { profiles: { ...profiles.profiles, pushed: { servers: {} } } }, reason: 'As it is tested' },
  })
  expect(pushed.ok()).toBe(true)
  const row = page.getByRole('list', { name: 'Pushes' }).getByRole('listitem').first()
  await expect(row).toContainText('As it is tested')
  await expect(row).toContainText('Profile pushed added')
  await expect(row).toContainText('being watched')
  // Somebody changes it meanwhile, which ends the watch.
  expect((await page.request.delete('/api/profiles/pushed', { headers })).ok()).toBe(true)
  await expect(row).toContainText('replaced by a later change')

  // With the program of a server that runs gone, the hub takes the push back, and says why.
  const before = (await (await page.request.get('/api/admin/config')).json()) as Portable
  const everything = { command: 'gone-since-then' }
  const bad = await page.request.put('/api/admin/config', {
    headers: { ...headers, 'if-match': before.etag },
    data: { servers: { mcpServers: { ...before.servers.mcpServers, everything } }, reason: 'It worked on my computer' },
  })
  expect(bad.ok()).toBe(true)
  await expect(row).toContainText('It worked on my computer')
  await expect(row).toContainText('taken back', { timeout: 30_000 })
  await expect(row.getByRole('list', { name: 'Why' })).toContainText(
    'everything: The command gone-since-then was not found',
  )
  await expectAccessible(page)
  const after = (await (await page.request.get('/api/admin/config')).json()) as Portable
  expect(after.servers).toEqual(before.servers)
  await page.evaluate(() => localStorage.setItem('mcp-hub.locale', 'zh-CN'))
  await page.reload()
  const reason = page.getByRole('list', { name: '原因' })
  await expect(reason.first()).toContainText('everything: 找不到命令 gone-since-then')
  await page.evaluate(() => localStorage.removeItem('mcp-hub.locale'))
  // Other tests of this hub call it.
  await expect
    .poll(async () => ((await (await page.request.get('/api/servers/everything')).json()) as { state: string }).state, {
      timeout: 30_000,
    })
    .toBe('running')
})

test('a save over somebody else’s change is refused, and what was typed stays', async ({ admin: page }) => {
  await page.goto('/servers/everything/settings?view=json')
  const editor = page.getByRole('textbox', { name: 'JSON' })
  await expect(editor).toContainText('"command"')
  // The page is not told: as if the other one had been a moment quicker.
  await page.route('**/api/servers/everything', async (route) => {
    if (route.request().method() !== 'PUT') return route.fallback()
    const url = route.request().url()
    const { config } = (await (await page.request.get(url)).json()) as { config: object }
    const headers = { origin: new URL(url).origin }
    await page.request.put(url, { headers, data: { config: { ...config, description: 'theirs' } } })
    return route.fallback()
  })
  await editor.click()
  await page.keyboard.press('Control+Home')
  await page.keyboard.press('ArrowRight')
  await page.keyboard.type('\n"description": "mine",')
  await page.getByRole('button', { name: 'Review' }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('dialog')).toContainText('Somebody else changed it since it was read')
  await page.unroute('**/api/servers/everything')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await expect(editor).toContainText('"mine"')
  await expect(page.getByRole('alert')).toContainText('changed')
})
