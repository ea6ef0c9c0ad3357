import type { Page } from '@playwright/test'
import { answerAsDesktop, desktopAnswers } from '../../../scripts/lib/example-targets.ts'
import en from '../../../renderer/locales/en.json' with { type: 'json' }
import { expect, test } from './fixtures.ts'
import { dataOf, pseudo, speakPseudo, untranslated, visibleTexts } from './pseudo-locale.ts'

test.beforeEach(async ({ page }) => {
  await page.addInitScript(() => localStorage.setItem('mcp-hub.locale', 'zh-CN'))
  await speakPseudo(page)
})

/** Collects what the hub answers, and tells what a page shows of no translation and no data. */
function inspector(page: Page, answers: unknown = null): (where: string) => Promise<void> {
  const data = new Set<string>(['admin', 'everything', 'broken'])
  dataOf(answers, data)
  const reading = new Set<Promise<void>>()
  page.on('response', (response) => {
    if (!response.url().includes('/api/') || response.url().includes('/api/events')) return
    const read = response.text().then(
      (text) => {
        for (const line of response.headers()['content-type']?.includes('ndjson') === true ? text.split('\n') : [text])
          if (line !== '') dataOf(JSON.parse(line), data)
      },
      // Its page was left.
      () => undefined,
    )
    reading.add(read)
    void read.finally(() => reading.delete(read))
  })
  return async (where) => {
    const texts = await visibleTexts(page)
    // Of all that they show, the answer came first.
    await Promise.allSettled(reading)
    for (const part of new URL(page.url()).pathname.split('/')) data.add(decodeURIComponent(part))
    const found = texts.flatMap((text) => {
      const rest = untranslated(text, data)
      return rest === '' ? [] : [text === rest ? text : `${text} (${rest})`]
    })
    expect.soft(found, `texts without a translation: ${where}`).toEqual([])
  }
}

async function open(page: Page, route: string): Promise<void> {
  await page.goto(route)
  await expect(page.getByRole('heading', { level: 1 })).toBeVisible()
  await expect(page.getByRole('status').filter({ hasText: /^⟦Lóádíng/ })).toHaveCount(0, { timeout: 60_000 })
}

const routes = [
  ...['/', '/servers', '/servers/add', '/servers/add?from=command', '/servers/broken', '/servers/no-such-server'],
  ...['', '/tools', '/logs', '/doctor', '/settings'].map((tab) => `/servers/everything${tab}`),
  ...['/tools', '/tools/everything/get-structured-content', '/tools/everything/no-such-tool'],
  ...['/prompts', '/prompts/everything/args-prompt', '/resources', '/profiles', '/profiles/no-such-profile'],
  ...[
    '/publish',
    '/publish?view=checks',
    '/publish?view=secrets',
    '/publish?view=files&file=nginx/mcp-hub.conf',
    '/activity',
    '/activity/1',
    '/access/users',
    '/access/keys',
    '/access/sessions',
    '/access/audit',
  ],
  ...[
    '/settings',
    '/settings/versions?version=1',
    '/settings/versions?of=users',
    '/settings/versions?of=pushes',
    '/settings/backups',
    '/settings/hub',
    '/no-such-page',
  ],
  '/reference?operation=postServers',
]

test('no page shows a text that has no translation', async ({ admin: page, hub }) => {
  test.setTimeout(180_000)
  const inspect = inspector(page)
  const headers = { origin: hub.url }
  const { name } = (await (await page.request.post('/api/backups', { headers })).json()) as { name: string }
  await page.request.put('/api/profiles/reworded', { headers, data: { config: { servers: {} } } })
  await page.request.post(`/api/backups/${name}/restore`, { headers })
  await page.request.delete(`/api/backups/${name}`, { headers })
  for (const route of routes) {
    await open(page, route)
    await inspect(route)
  }
})

test('nor do the pages of targets, as the app has them', async ({ admin: page }) => {
  test.setTimeout(120_000)
  const [failed, asks] = [desktopAnswers('failed'), desktopAnswers('confirm')]
  const lines = `${failed.run}${asks.run}`.trim().split('\n')
  const inspect = inspector(page, [failed.json, lines.map((line) => JSON.parse(line) as unknown)])
  await page.addInitScript(answerAsDesktop, failed)
  const target = '/publish/targets/production'
  for (const route of ['/publish', '/publish/new', `${target}/history?publish=r3`, `${target}/settings`, target]) {
    await open(page, route)
    await inspect(route)
  }
  const push = page.getByRole('main').getByRole('button', { name: /…⟧$/ }).first()
  await push.click()
  await expect(page.getByRole('alert').filter({ hasText: /héálthy/ })).toBeVisible()
  await inspect('a push that failed')
  await page.addInitScript(answerAsDesktop, asks)
  await open(page, target)
  await push.click()
  await expect(page.getByRole('radiogroup').or(page.getByText('1.3.0-5fd09c21')).first()).toBeVisible()
  await inspect('a push that asks')
})

test('nor does a state, a dialog or a refusal', async ({ admin: page, context, hub }) => {
  test.setTimeout(180_000)
  const profile = { config: { servers: { everything: {} } } }
  await page.request.put('/api/profiles/reworded', { headers: { origin: hub.url }, data: profile })
  const inspect = inspector(page)
  await open(page, '/servers/broken/doctor')
  await page
    .getByRole('main')
    .getByRole('button', { name: /^⟦Exámíné/ })
    .click()
  await expect(page.getByRole('heading', { name: /Fáíls/ })).toBeVisible()
  await inspect('the doctor')
  for (const [route, button] of [
    ['/access/users', en.access.users.new],
    ['/access/keys', en.access.keys.new],
    ['/access/keys', en.access.enrol.title],
    ['/profiles', en.profiles.new],
    ['/settings', en.secrets.add],
    ['/settings', en.webhooks.add],
  ] as const) {
    await open(page, route)
    await page
      .getByRole('main')
      .getByRole('button', { name: pseudo(button) as string, exact: true })
      .first()
      .click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await inspect(`the dialog of ${button}`)
    await page.keyboard.press('Escape')
  }
  for (const [route, button] of [
    ['/servers', en.servers.disable],
    ['/tools', en.tools.bulk.quarantine],
    ['/tools', en.tools.bulk.profile],
  ] as const) {
    await open(page, route)
    await page.getByRole('columnheader').getByRole('checkbox').check()
    await page
      .getByRole('toolbar')
      .getByRole('button', { name: pseudo(button) as string })
      .click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await inspect(`the dialog of ${button}`)
    await page.keyboard.press('Escape')
  }
  await open(page, '/profiles/reworded?server=everything')
  for (const icon of ['key-round', 'pencil']) {
    await page.locator(`main button:has(svg.lucide-${icon})`).first().click()
    await expect(page.getByRole('dialog')).toBeVisible()
    await inspect(`the dialog of a profile behind ${icon}`)
    await page.keyboard.press('Escape')
  }
  await page.keyboard.press('Control+k')
  await expect(page.getByRole('dialog')).toBeVisible()
  await inspect('the palette')
  await page.keyboard.press('Escape')
  await expect(page.getByRole('dialog')).toHaveCount(0)
  await page.keyboard.press('?')
  await expect(page.getByRole('dialog')).toBeVisible()
  await inspect('the help')
  await page.route('**/api/tools*', (route) => route.abort())
  await open(page, '/tools')
  await expect(page.getByRole('alert')).toBeVisible()
  await inspect('a list that failed')
  await context.clearCookies()
  await open(page, '/login')
  await inspect('the login')
  await open(page, '/setup?code=wrong')
  await inspect('the setup')
  await open(page, '/login')
  await page.locator('input').nth(0).fill('admin')
  await page.locator('input').nth(1).fill('a wrong password')
  await page.getByRole('button', { name: /^⟦/ }).last().click()
  await expect(page.getByRole('alert')).toBeVisible()
  await inspect('a refused login')
  await page.route('**/api/**', (route) => route.abort())
  await open(page, '/')
  await expect(page.getByRole('alert')).toBeVisible()
  await inspect('a hub that cannot be reached')
})
