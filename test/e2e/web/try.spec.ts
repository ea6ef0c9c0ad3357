import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { everything, expect, expectAccessible, mcpServer, test as base } from './fixtures.ts'
import { PASSWORD, startWebHub, type WebHub } from './hub.ts'

const run = promisify(execFile)
const TOKEN = 'token-of-the-administrator-of-this-test'
const test = base.extend<object, { hub: WebHub }>({
  hub: [
    // Playwright reads the names of the fixtures from this pattern.
    async ({}, use) => {
      const env = { MCP_HUB_ADMIN_PASSWORD: PASSWORD, MCP_HUB_TOKEN: TOKEN }
      const hub = await startWebHub({ everything, asking: mcpServer('interactive') }, env)
      await use(hub)
      await hub.close()
    },
    { scope: 'worker' },
  ],
})

test('what a server asks during a call is answered by hand', async ({ admin: page }) => {
  await page.goto('/tools/asking/ask_twice')
  await page.getByLabel('Answer the server’s questions').check()
  await page.getByRole('button', { name: 'Run' }).click()
  const question = page.getByRole('region', { name: 'The server asks you' })
  await expect(question).toContainText('First?')
  await question.getByRole('button', { name: 'Send answer' }).click()
  await expect(question).toContainText('Required.')
  await question.getByLabel('answer', { exact: true }).fill('one')
  await question.getByRole('button', { name: 'Send answer' }).click()
  await expect(question).toContainText('Second, after {"answer":"one"}?')
  await question.getByRole('button', { name: 'Decline' }).click()
  const result = page.getByRole('region', { name: 'Result', exact: true })
  await expect(result).toContainText('decline')

  // The choice stays, as long as nobody takes it back.
  await page.goto('/tools/asking/ask_link')
  await page.getByLabel('message', { exact: true }).fill('Confirm it')
  await page.getByRole('button', { name: 'Run' }).click()
  const link = page.getByRole('region', { name: 'The server asks you to open a page' })
  await expect(link.getByRole('link')).toHaveAttribute('href', 'https://example.com/confirm')
  await expect(link).toContainText('This leads to example.com')
  await link.getByRole('button', { name: 'I have opened it' }).click()
  await expect(result).toContainText('accept')

  await page.goto('/tools/asking/ask_model')
  await page.getByLabel('message', { exact: true }).fill('What is new?')
  await page.getByRole('button', { name: 'Run' }).click()
  const model = page.getByRole('region', { name: 'The server asks your model' })
  await expect(model).toContainText('What is new?')
  await model.getByLabel('Answer of the model').fill('Nothing that a model knows')
  await model.getByRole('button', { name: 'Send answer' }).click()
  await result.getByRole('button', { name: 'As text' }).click()
  await expect(result).toContainText('Nothing that a model knows')
  await page.getByLabel('Answer the server’s questions').uncheck()
})

test('arguments of a prompt are completed as one types, by the keyboard', async ({ admin: page }) => {
  await page.goto('/prompts')
  await page.getByRole('link', { name: /completable-prompt|Team Management/ }).click()
  const department = page.getByLabel('department', { exact: true })
  const options = page.getByRole('option')
  await department.pressSequentially('S')
  await expect(options).toHaveText(['Sales', 'Support'])
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('ArrowDown')
  const support = page.getByRole('option', { name: 'Support', selected: true })
  await expect(department).toHaveAttribute('aria-activedescendant', (await support.getAttribute('id')) ?? '')
  await page.keyboard.press('Enter')
  await expect(department).toHaveValue('Support')
  await expect(options).toHaveCount(0)

  await page.keyboard.press('Tab')
  const name = page.getByLabel('name', { exact: true })
  await name.focus()
  await expect(options).toHaveText(['John', 'Kim', 'Lee'])
  await expectAccessible(page)
  await page.keyboard.press('Escape')
  await expect(options).toHaveCount(0)
  await name.pressSequentially('K')
  await options.first().click()
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(page.getByRole('region', { name: 'Result', exact: true })).toContainText('Kim')
})

test('a prompt is filled in, a resource and one made of a template are read, also from a saved case', async ({
  admin: page,
}) => {
  const cases = page.getByRole('region', { name: 'Saved cases' })
  /** What was typed is saved, and filled in again by a page that knows nothing of it. */
  const saveAs = async (name: string): Promise<void> => {
    await page.keyboard.press('Control+s')
    await page.getByRole('dialog').getByLabel('Name').fill(name)
    await page.keyboard.press('Enter')
    await expect(cases.getByRole('button', { name: `Load ${name}` })).toHaveAttribute('aria-current', 'true')
    await page.evaluate(() => sessionStorage.clear())
    await page.reload()
    await cases.getByRole('button', { name: `Run ${name}` }).click()
  }
  const result = page.getByRole('region', { name: 'Result', exact: true })
  await page.goto('/prompts')
  await page.getByLabel('Filter prompts').fill('args')
  await page.getByRole('grid', { name: 'Prompts' }).getByRole('link').first().click()
  await expect(page).toHaveURL(/\/prompts\/everything\//)
  await page.getByLabel('city', { exact: true }).fill('Lisbon')
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(result).toContainText('Lisbon')
  await expect(result.getByRole('heading', { name: 'User' })).toBeVisible()
  await saveAs('in Lisbon')
  await expect(page.getByLabel('city', { exact: true })).toHaveValue('Lisbon')
  await expect(result).toContainText('Lisbon')

  await page.goto('/resources')
  const grid = page.getByRole('grid', { name: 'Resources' })
  await expect(grid.getByRole('link').first()).toBeVisible()
  await page.getByLabel('Filter resources').fill('.md')
  await grid.getByRole('link').first().click()
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(result).toContainText('text/markdown')

  await page.goto('/resources?q=dynamic+text')
  await grid.getByRole('link').first().click()
  const variable = page.getByRole('combobox', { name: 'resourceId', exact: true, expanded: false })
  await variable.fill('7')
  await page.getByRole('button', { name: 'Run' }).click()
  await expect(result).toContainText('resource/dynamic/text/7')
  await saveAs('the seventh')
  await expect(page.getByLabel('resourceId', { exact: true })).toHaveValue('7')
  await expect(result).toContainText('resource/dynamic/text/7')
  await page.goto('/resources/everything?uri=no:such')
  await expect(page.getByText('everything offers no resource no:such')).toBeVisible()
})

test('a call is copied as a command that works', async ({ admin: page, context, hub }) => {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await page.goto('/tools/everything/echo')
  await page.getByLabel('message', { exact: true }).fill("it's “quoted” $HOME")
  await page.getByRole('button', { name: 'Copy as' }).click()
  await page.getByRole('menuitem', { name: 'As curl' }).click()
  const command = await page.evaluate(() => navigator.clipboard.readText())
  const { stdout } = await run('bash', ['-c', command], {
    env: { PATH: process.env['PATH'] ?? '', MCP_HUB_TOKEN: TOKEN },
  })
  expect(stdout).toContain("Echo: it's “quoted” $HOME")
  expect(command).toContain(`${hub.url}/mcp/everything`)
  expect(command).not.toContain(TOKEN)

  await page.getByRole('button', { name: 'Copy as' }).click()
  await page.getByRole('menuitem', { name: 'As TypeScript' }).click()
  const program = await page.evaluate(() => navigator.clipboard.readText())
  const ran = await run(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: import.meta.dirname,
    env: { PATH: process.env['PATH'] ?? '', MCP_HUB_TOKEN: TOKEN },
  })
  expect(JSON.parse(ran.stdout)).toMatchObject({ content: [{ type: 'text', text: "Echo: it's “quoted” $HOME" }] })
})

test('arguments are saved as a case, run again, compared, and brought back when they were deleted', async ({
  admin: page,
  hub,
}) => {
  const cases = page.getByRole('region', { name: 'Saved cases' })
  const result = page.getByRole('region', { name: 'Result', exact: true })
  const comparison = page.getByRole('region', { name: 'Comparison with the saved result' })
  const dialog = page.getByRole('dialog')
  await page.goto('/tools/everything/get-sum')
  await expect(cases).toContainText('None yet.')
  await page.getByLabel('a', { exact: true }).fill('2')
  await page.getByLabel('b', { exact: true }).fill('40')
  await page.keyboard.press('Control+Enter')
  await expect(result).toContainText('42')
  await page.keyboard.press('Control+s')
  await dialog.getByLabel('Name').fill('the answer')
  await dialog.getByLabel('Save the result, too').check()
  await page.keyboard.press('Enter')
  await expect(cases.getByRole('button', { name: 'Load the answer' })).toHaveAttribute('aria-current', 'true')

  // From the hub, in a page that knows nothing of what was typed.
  await page.evaluate(() => sessionStorage.clear())
  await page.reload()
  await cases.getByRole('button', { name: 'Run the answer' }).click()
  await expect(page.getByLabel('b', { exact: true })).toHaveValue('40')
  await expect(comparison).toContainText('The same result as the one saved with the answer')

  // What was saved for another schema, and with another result.
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' }
  const found = (await (await fetch(`${hub.url}/api/cases?target=get-sum`, { headers })).json()) as { id: string }[]
  const edit = (body: object): Promise<Response> =>
    fetch(`${hub.url}/api/cases/${found[0]?.id}`, { method: 'PUT', headers, body: JSON.stringify(body) })
  expect((await edit({ expected: '{\n  "result": "41"\n}' })).status).toBe(200)
  await cases.getByRole('button', { name: 'Run the answer' }).click()
  await expect(comparison).toContainText('Another result than the one saved with the answer')
  await expect(comparison.getByRole('region', { name: 'Changes' })).toContainText('"41"')
  await expectAccessible(page)
  await comparison.getByRole('button', { name: 'Save this result instead' }).click()
  await expect(comparison).toContainText('The same result as the one')
  expect((await edit({ arguments: '{"a":"two","b":40}' })).status).toBe(200)
  await cases.getByRole('button', { name: 'Load the answer' }).click()
  await expect(cases.getByRole('alert')).toContainText('a was left out:')
  await expect(page.getByLabel('a', { exact: true })).toHaveValue('')
  await expect(page.getByLabel('b', { exact: true })).toHaveValue('40')

  await cases.getByRole('button', { name: 'More for the answer' }).click()
  await page.getByRole('menuitem', { name: 'Overwrite with these arguments' }).click()
  await expect(dialog.getByRole('region', { name: 'Changes', exact: true })).toContainText('"two"')
  await page.keyboard.press('Escape')

  // Of a tool that its server calls something else by now.
  expect((await edit({ target: 'sum' })).status).toBe(200)
  await page.reload()
  await expect(cases).toContainText('1 saved case belongs to a call that is not there any more.')
  await cases.getByRole('button', { name: 'Look through them' }).click()
  await expect(dialog).toContainText('everything/sum')
  await expectAccessible(page)
  await dialog.getByRole('button', { name: 'Move here: the answer' }).click()
  await expect(dialog).toBeHidden()
  await expect(cases.getByRole('button', { name: 'Load the answer' })).toBeVisible()
  const moved = page.getByRole('listitem').filter({ hasText: 'The case the answer belongs to this call now' })
  await moved.getByRole('button', { name: 'Undo' }).click()
  await expect(cases).toContainText('1 saved case belongs to a call that is not there any more.')
  await cases.getByRole('button', { name: 'Look through them' }).click()
  await dialog.getByRole('button', { name: 'Move here: the answer' }).click()
  await expect(dialog).toBeHidden()

  await cases.getByRole('button', { name: 'More for the answer' }).click()
  await page.getByRole('menuitem', { name: 'Delete' }).click()
  await expect(cases).toContainText('None yet.')
  // The notice of the change before may still be there, with an undo of its own.
  const notice = page.getByRole('listitem').filter({ hasText: 'The case the answer is deleted' })
  await notice.getByRole('button', { name: 'Undo' }).click()
  await expect(cases.getByRole('button', { name: 'Load the answer' })).toBeVisible()

  const json = page.getByRole('textbox', { name: 'Arguments as JSON' })
  await json.press('Control+a')
  await page.keyboard.insertText('{ "token": "ghp_0123456789abcdefghij" }')
  await cases.getByRole('button', { name: 'Save case' }).click()
  await dialog.getByLabel('Name').fill('with a token')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog.getByRole('alert')).toContainText('This looks like a secret')
  await expect(dialog.getByRole('alert')).toContainText('arguments/token')
  await expect(dialog.getByRole('button', { name: 'Save' })).toBeDisabled()
})

test('what is typed while the editor is on its way is in it, and goes on where it was', async ({ admin: page }) => {
  let arrive = (): void => undefined
  const arrival = new Promise<void>((resolve) => (arrive = resolve))
  await page.route(/\/CodeMirror-[^/]*\.js$/, async (route) => {
    await arrival
    await route.continue()
  })
  await page.goto('/tools/everything/echo')
  await page.getByRole('textbox', { name: 'Arguments as JSON' }).click()
  await page.keyboard.press('Control+a')
  await page.keyboard.type('{"message": "ty')
  await expect(page.locator('.cm-content')).toHaveCount(0)
  arrive()
  await expect(page.locator('.cm-content')).toBeFocused()
  await page.keyboard.type('ped"}')
  await expect(page.getByLabel('message')).toHaveValue('typed')
})
