import { readFile, readlink, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { expect, test, type Locator } from '@playwright/test'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { createTold, writePrograms, writeScriptedBash } from '../../fixtures/push-target/target.ts'
import { makeKey, startSshd, type Sshd } from '../../fixtures/sshd.ts'
import { freePort, launchApp, type DesktopApp } from './app.ts'

// One window and one server, whose state each test takes from the one before it.
test.describe.configure({ mode: 'serial', timeout: 120_000 })

const DOMAIN = 'mcp.example.org'

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let sshd: Sshd
let desktop: DesktopApp
let key: string
/** The folder of the installation on the server. */
let installed: string
let told: ReturnType<typeof createTold>
/** The first release that was pushed. */
let first: string

test.beforeAll(async () => {
  folder = await temporaryFolder()
  installed = path.join(folder.path, 'installed')
  told = createTold(installed)
  key = makeKey(folder.path, 'user_key')
  const bin = await writePrograms(folder.path)
  await writeScriptedBash(bin)
  sshd = await startSshd(folder.path, { keys: [key], env: { PATH: `${bin}:/usr/local/bin:/usr/bin:/bin` } })
  desktop = await launchApp()
})
test.afterAll(async () => {
  await desktop.dispose()
  await sshd.close()
  await folder.dispose()
})
test.afterEach(() => {
  expect(desktop.violations).toEqual([])
})

const region = (name: string): Locator => desktop.page.getByRole('region', { name })
const inUse = async (): Promise<string> => path.basename(await readlink(path.join(installed, 'current')))
/** As somebody does who signed in on the server. */
function changeThere(server: string): Promise<void> {
  const mcpServers = { [server]: { url: `https://${server}.example.com/mcp`, hub: { enabled: false } } }
  return writeFile(path.join(installed, 'config', 'servers.json'), JSON.stringify({ mcpServers }))
}

test('a target is saved, what keeps from reaching it is told, and then a real server is asked what a push would change', async () => {
  const { page } = desktop
  await page.getByRole('link', { name: 'Publish', exact: true }).click()
  await page.getByRole('main').getByRole('link', { name: 'New target' }).last().click()
  await page.getByLabel('Domain').fill(DOMAIN)
  await page.getByText('Ports, folder, log level and backups').click()
  await page.getByLabel('Folder on the target').fill(installed)
  await page.getByRole('button', { name: 'Next' }).click()
  await page.getByLabel('Host', { exact: true }).fill(sshd.host)
  await page.getByLabel('Port', { exact: true }).fill(String(await freePort()))
  await page.getByLabel('User', { exact: true }).fill(os.userInfo().username)
  await page.getByText('Key file', { exact: true }).click()
  await page.getByLabel('Private key').fill(key)
  await page.getByRole('button', { name: 'Next' }).click()
  await expect(page.getByRole('navigation', { name: 'Preview' })).toBeVisible({ timeout: 20_000 })
  await page.getByRole('button', { name: 'Save target' }).click()
  await expect(page.getByRole('heading', { name: DOMAIN, level: 1 })).toBeVisible()

  const push = region(`Push to ${DOMAIN}`)
  await page.getByRole('button', { name: 'Push…' }).click()
  await expect(push.getByRole('alert')).toContainText('The push failed', { timeout: 30_000 })
  await expect(push.getByRole('alert')).toContainText('HUB_TARGET_UNREACHABLE')

  await page.getByRole('link', { name: 'Settings', exact: true }).last().click()
  await page.getByLabel('Port', { exact: true }).fill(String(sshd.port))
  await page.getByRole('button', { name: 'Save target' }).click()
  await page.getByRole('navigation', { name: 'Parts of the target' }).getByRole('link', { name: 'Publish' }).click()
  await page.getByRole('button', { name: 'Compare' }).click()
  const compare = region(`Compare with ${DOMAIN}`)
  await expect(compare).toContainText(`Is this ${sshd.host}:${String(sshd.port)}?`, { timeout: 20_000 })
  await expect(compare).toContainText('SHA256:')
  // It goes on while somebody looks at something else.
  await page.getByRole('link', { name: 'Publish', exact: true }).first().click()
  await expect(page.getByRole('row').filter({ hasText: DOMAIN })).toContainText('Under way')
  await page.getByRole('link', { name: DOMAIN }).click()
  await compare.getByRole('button', { name: 'It is: connect' }).click()
  await expect(compare).toContainText('This is what a push would change.', { timeout: 30_000 })
  await expect(compare).toContainText('Nothing is installed')
})

test('a push shows its plan, changes nothing before the yes, and tells each step until the release is in use', async () => {
  const { page } = desktop
  await page.getByRole('button', { name: 'Push…' }).click()
  const push = region(`Push to ${DOMAIN}`)
  const plan = push.getByRole('form', { name: /^Push release .*\?$/ })
  await expect(plan).toContainText('Nothing is installed', { timeout: 30_000 })
  // What fits into the row of tabs does not scroll.
  const tabs = page.getByRole('navigation', { name: 'Parts of the target' })
  expect(await tabs.evaluate((nav) => nav.scrollHeight - nav.clientHeight)).toBe(0)
  await expect(inUse()).rejects.toThrow('ENOENT')
  await plan.getByRole('button', { name: 'Push', exact: true }).click()
  await expect(push).toContainText('The release is in use, healthy and tested.', { timeout: 30_000 })
  first = await inUse()
  await expect(push).toContainText(`In use on the server: ${first}`)
  const steps = push.getByRole('list', { name: 'Steps' }).getByRole('listitem')
  for (const step of ['Upload', 'Unpack', 'Switch the release', 'Health'])
    await expect(steps.filter({ hasText: step }).getByRole('img', { name: 'Done' }), step).toBeVisible()
  await expect(page.getByRole('main')).toContainText('Release in use')
})

test('what somebody changed on the server is shown before it is taken, and is here afterwards', async () => {
  const { page, userData } = desktop
  await changeThere('theirs')
  const here = () => readFile(path.join(userData, 'config', 'servers.json'), 'utf8').catch(() => '')

  await page.getByRole('button', { name: 'Take its configuration…' }).click()
  const pull = region(`Take the configuration of ${DOMAIN}`)
  const question = pull.getByRole('form', { name: 'Take this configuration?' })
  await expect(question).toContainText('theirs', { timeout: 20_000 })
  await question.getByText('By file').click()
  await expect(question.getByRole('region', { name: 'config/servers.json' })).toContainText('+    "theirs": {')
  expect(await here()).not.toContain('theirs')
  await question.getByRole('button', { name: 'Take it' }).click()
  await expect(pull).toContainText('The configuration of the server is in force here.', { timeout: 20_000 })
  expect(await here()).toContain('theirs.example.com')
})

test('a release that does not become healthy is said with its cause and cure, and the one before runs', async () => {
  const { page } = desktop
  await told.say('sick')
  await changeThere('others')
  await page.getByRole('button', { name: 'Push…' }).click()
  const push = region(`Push to ${DOMAIN}`)
  await expect(push).toContainText('The configuration on the server was changed', { timeout: 30_000 })
  await expect(push.getByRole('region', { name: 'config/servers.json' })).toContainText('+    "others": {')
  await push.getByRole('button', { name: 'Replace it with mine' }).click()
  const plan = push.getByRole('form', { name: /^Push release .*\?$/ })
  await expect(plan).toContainText('theirs')
  await plan.getByRole('button', { name: 'Push', exact: true }).click()
  const alert = push.getByRole('alert')
  await expect(alert).toContainText('The new release did not become healthy; the old one is in use again', {
    timeout: 30_000,
  })
  await expect(alert).toContainText('The log of this run says why. Correct that, and push again.')
  await expect(push.getByRole('region', { name: /^Output of the scripts/ })).toContainText('hub-3000: cannot listen')
  await expect(push).toContainText(`In use on the server: ${first}`)
  expect(await inUse()).toBe(first)
  await told.unsay('sick')
})

test('a rollback goes back to a release of the history, which keeps the log of every publish', async () => {
  const { page } = desktop
  const push = region(`Push to ${DOMAIN}`)
  await push.getByRole('button', { name: 'Try again' }).click()
  await push.getByRole('button', { name: 'Push', exact: true }).click({ timeout: 30_000 })
  await expect(push).toContainText('The release is in use, healthy and tested.', { timeout: 30_000 })
  const second = await inUse()
  expect(second).not.toBe(first)

  const history = page.getByRole('main').getByRole('group')
  await page.getByRole('link', { name: 'History', exact: true }).last().click()
  await expect(history).toHaveCount(3)
  await history
    .filter({ hasText: `Push of ${first}` })
    .locator('summary')
    .click()
  await expect(page.getByRole('button', { name: 'Use this release again…' })).toBeVisible()
  await page.getByRole('button', { name: 'Use this release again…' }).click()
  const rollback = region(`Roll ${DOMAIN} back`)
  await rollback
    .getByRole('form', { name: `Roll back to ${first}?` })
    .getByRole('button', { name: 'Roll back' })
    .click()
  await expect(rollback).toContainText('The release is in use again.', { timeout: 20_000 })
  expect(await inUse()).toBe(first)

  await page.getByRole('link', { name: 'History', exact: true }).last().click()
  await expect(history.first()).toContainText(`Rollback to ${first}`)
  const sick = history.filter({ hasText: 'Rolled back' })
  await sick.locator('summary').first().click()
  await expect(sick.getByRole('region', { name: /^Output of the scripts/ })).toContainText('hub-3000: cannot listen')
})
