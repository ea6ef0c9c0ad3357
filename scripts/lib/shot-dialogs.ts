import type { Locator, Page } from 'playwright'
import type { Screen } from './shot-screens.ts'

/** The dialog that the first button with this icon opens, within the page or a part of it. */
async function openDialog(within: Locator, icon: string): Promise<Locator> {
  await within.locator(`button:has(svg.lucide-${icon})`).first().click()
  const dialog = within.page().getByRole('dialog')
  await dialog.waitFor()
  return dialog
}

/** A dialog of a page by the icon of the button that opens it. */
const dialog = (name: string, path: string, icon: string): Screen => ({
  name,
  path,
  act: (page) => openDialog(page.getByRole('main'), icon),
})

/** The dialog for all that is listed, that the button of the toolbar opens. */
const withAll = (name: string, path: string, icon: string): Screen => ({
  name,
  path,
  act: async (page) => {
    await page.getByRole('columnheader').getByRole('checkbox').check()
    await openDialog(page.getByRole('toolbar'), icon)
  },
})

const webhooksOf = (page: Page): Locator => page.locator('section[aria-label^="Webhook"]')
export const showWebhooks = (page: Page): Promise<void> => webhooksOf(page).scrollIntoViewIfNeeded()
const secretsOf = (page: Page): Locator => page.locator('section:has(svg.lucide-plus)').first()

async function refuseWebhook(page: Page): Promise<void> {
  const opened = await openDialog(webhooksOf(page), 'plus')
  await opened.locator('input[type=text]').first().fill('metadata')
  await opened.locator('input[inputmode=url]').fill('https://169.254.169.254/latest')
  await page.keyboard.press('Enter')
  await opened.getByText('169.254.169.254').waitFor()
}

/** A row's menu, and in it the last entry or another that is counted from the end. */
async function askInMenu(page: Page, fromEnd: number): Promise<void> {
  await page.locator('main button:has(svg.lucide-ellipsis)').last().click()
  await page.getByRole('menuitem').nth(-fromEnd).click()
  await page.getByRole('dialog').waitFor()
}

export const dialogs: readonly Screen[] = [
  withAll('servers-enable', '/servers', 'power'),
  withAll('servers-disable', '/servers', 'power-off'),
  withAll('tools-approve', '/tools', 'check'),
  withAll('tools-quarantine', '/tools', 'ban'),
  withAll('tools-profile', '/tools', 'layers'),
  dialog('profile-new', '/profiles', 'plus'),
  dialog('profile-override', '/profiles/research?server=everything', 'pencil'),
  dialog('profile-keys', '/profiles/research', 'key-round'),
  dialog('user-new', '/access/users', 'plus'),
  { name: 'user-delete', path: '/access/users', act: (page) => askInMenu(page, 1) },
  dialog('key-new', '/access/keys', 'plus'),
  dialog('key-enrol', '/access/keys', 'rocket'),
  dialog('key-change', '/access/keys', 'pencil'),
  { name: 'key-delete', path: '/access/keys', act: (page) => page.locator('main li button').last().click() },
  { name: 'secret-new', path: '/settings', act: (page) => openDialog(secretsOf(page), 'plus') },
  { name: 'webhook-new', path: '/settings', act: (page) => openDialog(webhooksOf(page), 'plus') },
  { name: 'webhook-change', path: '/settings', act: (page) => openDialog(webhooksOf(page), 'pencil') },
  { name: 'webhook-refused', path: '/settings', act: refuseWebhook },
  dialog('version-restore', '/settings/versions?version=1', 'rotate-ccw'),
  dialog('backup-restore', '/settings/backups', 'rotate-ccw'),
  {
    name: 'hub-setting',
    path: '/settings/hub?q=maxDays',
    act: (page) => page.getByRole('listitem').getByRole('button').first().click(),
  },
  { name: 'palette', path: '/tools', act: (page) => page.keyboard.press('Control+k') },
  { name: 'help', path: '/tools', act: (page) => page.keyboard.press('?') },
]
