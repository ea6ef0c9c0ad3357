import type { Page } from '@playwright/test'
import { globSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { root } from '../../../scripts/lib/paths.mjs'
import { expectAccessible } from '../web/fixtures.ts'
import { speakPseudo, untranslated, visibleTexts } from '../web/pseudo-locale.ts'
import { expect, gallery, test, themes } from './fixtures.ts'

/** The names of the components, in the order of the page. */
const componentsOf = (page: Page): Promise<string[]> =>
  page.locator('section[id]').evaluateAll((sections) => sections.map(({ id }) => id))

for (const theme of themes) {
  test(`each component looks as it did and is accessible, ${theme}`, async ({ page, open }) => {
    // Whole sections: what is outside of the page's scrolling part is in no picture.
    await page.setViewportSize({ width: 1280, height: 2000 })
    await open('/dev/ui', theme)
    await expect(page.locator('#CodeEditor .cm-lintRange-error')).toHaveCount(1)
    for (const name of await componentsOf(page))
      await expect.soft(page.locator(`section#${name}`)).toHaveScreenshot(`${name}-${theme}.png`)
    await expectAccessible(page, theme === 'light' ? undefined : 'color-contrast')
  })

  test(`what opens over the page looks as it did, ${theme}`, async ({ page, open }) => {
    await open('/dev/ui', theme)
    for (const name of await componentsOf(page)) {
      const openers = page.locator(`section#${name} [data-opens]`)
      for (let index = 0; index < (await openers.count()); index++) {
        const opener = openers.nth(index)
        const opens = await opener.getAttribute('data-opens')
        if (opens === 'tooltip') await opener.hover()
        else await opener.click()
        const opened = page.locator(`[role="${opens ?? ''}"]`)
        if ((await opener.getAttribute('data-then')) === 'confirm') await opened.getByRole('button').last().click()
        if (opens === 'dialog') await page.mouse.move(0, 0)
        await expect.soft(opened).toHaveScreenshot(`${name}-open-${index + 1}-${theme}.png`)
        await page.keyboard.press('Escape')
        await expect(opened).toHaveCount(0)
      }
    }
  })
}

/** What the samples are filled with, beside their texts. */
const DATA = new Set([
  ...['memory', 'everything', 'search', 'servers.json', 'mcpServers.memory.args', 'mcpServers.memory'],
  ...['GET /api/servers', 'GET /api/servers/memory', 'PUT /api/servers/memory', 'Failed to fetch'],
  ...['HUB_NAME_TAKEN', 'HUB_CONFIG_INVALID', 'HTTP 502: Bad Gateway nginx', 'Bad Gateway nginx'],
  '/home/example/projects/with/a/very/long/path/that/has/no/place/to/break',
  '/home/example/projects/with/a/long/path',
  ...['admin', 'top', 'right', 'bottom', 'left'],
  ...Array.from({ length: 1_000 }, (_, index) => `server-${index + 1}`),
])

test('no component has a text of its own that has no translation', async ({ page, open }) => {
  await speakPseudo(page)
  await open('/dev/ui', 'light', 'zh-CN')
  const found = async (): Promise<string[]> =>
    (await visibleTexts(page)).filter((text) => untranslated(text, DATA) !== '')
  expect(await found()).toEqual([])
  const openers = page.locator('[data-opens="dialog"], [data-opens="menu"]')
  for (let index = 0; index < (await openers.count()); index++) {
    await openers.nth(index).click()
    const opened = page.getByRole('dialog').or(page.getByRole('menu')).or(page.getByRole('alertdialog'))
    await expect(opened).toBeVisible()
    expect(await found()).toEqual([])
    await page.keyboard.press('Escape')
    await expect(opened).toHaveCount(0)
  }
})

test('what users get has no gallery', () => {
  const leadsThere = (folder: string): boolean =>
    globSync('assets/*.js', { cwd: folder }).some((file) =>
      readFileSync(path.join(folder, file), 'utf8').includes('/dev/ui'),
    )
  expect(leadsThere(gallery)).toBe(true)
  expect(leadsThere(path.join(root, 'dist', 'renderer'))).toBe(false)
})
