import { expect, expectAccessible, mcpServer, signIn, test } from './fixtures.ts'
import { startWebHub } from './hub.ts'

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
