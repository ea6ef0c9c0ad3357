import { expect, expectAccessible, mcpServer, signIn, test } from './fixtures.ts'
import { startWebHub } from './hub.ts'

interface Saved {
  config: unknown
}

const planner = (description: string) => {
  const { command, args } = mcpServer('reworded')
  return { command, args: [...args, description] }
}

test('a tool that waits for approval, and one that is another since, are told of and looked at before they are approved', async ({
  page,
  context,
}) => {
  const pinning = { onFirstSight: 'hold', onChange: 'hold' }
  const hub = await startWebHub({ planner: planner('Plans a day.') }, undefined, undefined, { pinning })
  try {
    await signIn(context, hub.url)
    await page.goto(hub.url)
    await expect(page.getByText('1 tool waits to be approved.')).toBeVisible()
    await page.getByRole('link', { name: 'Look at them' }).click()
    await page.getByRole('link', { name: 'plan', exact: true }).click()
    const approval = page.getByRole('region', { name: 'Approval of the definition' })
    await expect(approval).toContainText('Not approved yet')
    await approval.getByRole('button', { name: 'Approve' }).click()
    await expect(approval).toContainText('This is what was approved.')
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect(approval).toContainText('Not approved yet')
    await approval.getByRole('button', { name: 'Approve' }).click()
    await expect(approval).toContainText('This is what was approved.')

    const changed = await page.request.put(`${hub.url}/api/servers/planner`, {
      headers: { origin: hub.url },
      data: { config: planner('Plans a day, and tells it to others.') },
    })
    expect(changed.ok()).toBe(true)
    await expect(approval).toContainText('Changed, held back')
    await expect(approval.getByRole('region', { name: 'Changes' })).toContainText('and tells it to others')
    await expectAccessible(page)

    await page.goto(hub.url)
    await expect(page.getByText('1 tool is defined in another way than was approved.')).toBeVisible()
    await expect(page.getByText('Nothing needs attention.')).toHaveCount(0)
  } finally {
    await hub.close()
  }
})

test('several tools are selected by keyboard and approved, or hidden in a profile, with a look first and one undo', async ({
  page,
  context,
}) => {
  const servers = { east: planner('Plans a day.'), west: planner('Plans a night.') }
  const hub = await startWebHub(servers, undefined, undefined, { pinning: { onFirstSight: 'hold' } })
  const profile = { url: `${hub.url}/api/profiles/work`, headers: { origin: hub.url } }
  const ofProfile = async (): Promise<unknown> => ((await (await page.request.get(profile.url)).json()) as Saved).config
  try {
    await signIn(context, hub.url)
    const data = { config: { servers: { east: {}, west: {} } } }
    expect((await page.request.put(profile.url, { headers: profile.headers, data })).ok()).toBe(true)
    await page.goto(`${hub.url}/tools`)
    await expect(page.getByText('Not approved yet')).toHaveCount(2)
    await page.getByRole('row', { name: 'east' }).focus()
    await page.keyboard.press('Space')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Shift+Space')
    const bar = page.getByRole('toolbar', { name: '2 tools selected' })
    await bar.getByRole('button', { name: 'Approve…' }).click()
    const dialog = page.getByRole('dialog')
    await expect(dialog).toContainText('2 tools will be approved.')
    await dialog.getByRole('button', { name: 'plan', exact: true }).first().click()
    await expect(dialog.getByRole('region', { name: 'Changes' })).toContainText('Plans a day.')
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Approve', exact: true }).click()
    await expect(dialog).toHaveCount(0)
    await expect(page.getByText('Not approved yet')).toHaveCount(0)
    await page.getByRole('button', { name: 'Undo' }).click()
    await expect(page.getByText('Not approved yet')).toHaveCount(2)

    await bar.getByRole('button', { name: 'Show or hide…' }).click()
    await expect(dialog).toContainText('2 tools will be hidden.')
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Save' }).click()
    await expect(dialog).toHaveCount(0)
    const hidden = { tools: { exclude: ['plan'] } }
    expect(await ofProfile()).toEqual({ servers: { east: hidden, west: hidden } })
    await page.locator('li').filter({ hasText: 'work' }).getByRole('button', { name: 'Undo' }).click()
    await expect.poll(ofProfile).toEqual(data.config)

    // The same on the tools of one server.
    await page.goto(`${hub.url}/servers/east/tools`)
    await page.getByRole('row', { name: 'plan' }).focus()
    await page.keyboard.press('Space')
    await page.getByRole('toolbar', { name: 'One tool selected' }).getByRole('button', { name: 'Approve…' }).click()
    await dialog.getByRole('button', { name: 'Approve', exact: true }).click()
    await expect(dialog).toHaveCount(0)
    await expect(page.getByText('Not approved yet')).toHaveCount(0)
    await expectAccessible(page)

    await page.getByRole('row', { name: 'plan' }).getByRole('link').click()
    await page.getByText('In 1 of 1 profiles').click()
    await expectAccessible(page)
    await page.getByRole('switch', { name: 'Show it in the profile work' }).click()
    await expect(page.getByText('In 0 of 1 profiles')).toBeVisible()
    expect(await ofProfile()).toEqual({ servers: { east: hidden, west: {} } })
  } finally {
    await hub.close()
  }
})

test('a profile leads to its keys and to what it tells of a tool, and changes both', async ({ page, context }) => {
  const hub = await startWebHub({ east: planner('Plans a day.') })
  try {
    await signIn(context, hub.url)
    const data = { config: { servers: { east: {} } } }
    const headers = { origin: hub.url }
    expect((await page.request.put(`${hub.url}/api/profiles/work`, { headers, data })).ok()).toBe(true)
    await page.goto(`${hub.url}/profiles/work`)
    await page.getByRole('button', { name: 'Keys', exact: true }).click()
    const dialog = page.getByRole('dialog')
    await expect(dialog).toContainText('No key that you can see is for this profile yet.')
    await dialog.getByRole('button', { name: 'New key' }).click()
    await dialog.getByLabel('Name').fill('laptop')
    await dialog.getByRole('button', { name: 'Create key' }).click()
    await expect(page.getByRole('heading', { name: 'Key laptop' })).toBeVisible()
    const [key] = (await (await page.request.get(`${hub.url}/api/keys`)).json()) as [{ scope: unknown }]
    expect(key.scope).toEqual({ profiles: ['work'] })
    await page.keyboard.press('Escape')
    await expect(dialog.getByRole('listitem')).toContainText('laptop')
    await expectAccessible(page)
    await page.keyboard.press('Escape')

    await page.getByRole('button', { name: 'Change how plan is shown' }).click()
    await dialog.getByLabel('Read-only').selectOption('Yes')
    await expectAccessible(page)
    await dialog.getByRole('button', { name: 'Apply' }).click()
    await page.getByRole('button', { name: 'Review and save' }).click()
    await dialog.getByRole('button', { name: 'Save', exact: true }).click()
    await expect(dialog).toHaveCount(0)
    const { config } = (await (await page.request.get(`${hub.url}/api/profiles/work`)).json()) as Saved
    expect(config).toMatchObject({
      servers: { east: { tools: { overrides: { plan: { annotations: { readOnlyHint: true } } } } } },
    })
  } finally {
    await hub.close()
  }
})
