import { expect, test as base, type Page } from '@playwright/test'
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { cache, root } from '../../../scripts/lib/paths.mjs'
import { startFixedHub, type FixedHub } from './fixed-hub.ts'

export const themes = ['light', 'dark'] as const
export type Theme = (typeof themes)[number]

/** Where `scripts/gallery.ts` puts the page that has the gallery. */
export const gallery = path.join(cache, 'gallery')

interface Fixtures {
  /** Opens a path of the page in a theme and a language, signed in as the administrator. */
  open: (path: string, theme: Theme, locale?: 'en' | 'zh-CN') => Promise<void>
}
interface Workers {
  hub: FixedHub
}

export const test = base.extend<Fixtures, Workers>({
  hub: [
    // Playwright reads the names of the fixtures from this pattern.
    async ({}, use) => {
      await promisify(execFile)(process.execPath, [path.join(root, 'scripts', 'gallery.ts')], { cwd: root })
      const hub = await startFixedHub(gallery)
      await use(hub)
      hub.close()
    },
    { scope: 'worker', timeout: 120_000 },
  ],
  baseURL: async ({ hub }, use) => use(hub.url),
  open: async ({ page, hub }, use) => {
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(error.message))
    await use(async (route, theme, locale = 'en') => {
      await page.addInitScript(
        ([theme, locale]) => {
          localStorage.setItem('mcp-hub.theme', theme)
          localStorage.setItem('mcp-hub.locale', locale)
        },
        [theme, locale] as const,
      )
      await page.goto(route)
      await settled(page)
    })
    expect(faults, 'what the page threw').toEqual([])
    expect([...hub.missing], 'what test/e2e/visual/answers.ts has no answer for').toEqual([])
  },
})

test.skip(process.platform !== 'linux', 'the pictures are drawn with the fonts of Debian')

async function settled(page: Page): Promise<void> {
  await expect(page.getByRole('heading', { level: 1 }).first()).toBeVisible()
  await page.evaluate(() => document.fonts.ready.then(() => true))
}

export { expect }
