import { AxeBuilder } from '@axe-core/playwright'
import { expect, test as base, type BrowserContext, type Page } from '@playwright/test'
import path from 'node:path'
import { PASSWORD, startWebHub, type WebHub } from './hub.ts'

const modules = path.join(import.meta.dirname, '..', '..', '..', 'node_modules')
export const everything = {
  command: process.execPath,
  args: [path.join(modules, '@modelcontextprotocol', 'server-everything', 'dist', 'index.js')],
}
export const mcpServer = (name: string) => ({
  command: process.execPath,
  args: [path.join(import.meta.dirname, '..', '..', 'fixtures', 'mcp-servers', `${name}.ts`)],
})

interface Fixtures {
  /** What a test provokes: complaints that it does not fail of. */
  provoked: RegExp | null
  /** Signed in as the administrator. */
  admin: Page
}
interface Workers {
  hub: WebHub
}

/**
 * A hub for each file, and pages that must not offend: a violation of the content security policy, an uncaught error or
 * an error in the console fails the test that it happens in.
 */
export const test = base.extend<Fixtures, Workers>({
  hub: [
    // Playwright reads the names of the fixtures from this pattern.
    async ({}, use) => {
      const hub = await startWebHub({ everything, broken: { command: 'no-such-command-anywhere' } })
      await use(hub)
      await hub.close()
    },
    { scope: 'worker' },
  ],
  baseURL: async ({ hub }, use) => use(hub.url),
  provoked: [null, { option: true }],
  context: async ({ context, provoked }, use) => {
    const offences: string[] = []
    await context.addInitScript(() => {
      document.addEventListener(
        'securitypolicyviolation',
        ({ violatedDirective, blockedURI, sourceFile, lineNumber }) =>
          console.error(`CSP: ${violatedDirective} ${blockedURI} at ${sourceFile}:${lineNumber}`),
      )
    })
    context.on('weberror', (error) => offences.push(error.error().stack ?? error.error().message))
    context.on('console', (message) => {
      // That a request was refused is what some tests are about.
      if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
        offences.push(message.text())
    })
    await use(context)
    const unexpected = offences.filter((offence) => provoked?.test(offence) !== true)
    expect(unexpected, 'what the pages complained about').toEqual([])
  },
  admin: async ({ page, context, hub }, use) => {
    await signIn(context, hub.url)
    await use(page)
  },
})

/** By the API, for what is not about signing in. */
export async function signIn(context: BrowserContext, url: string): Promise<void> {
  const answer = await context.request.post(`${url}/api/auth/login`, {
    data: { username: 'admin', password: PASSWORD },
    headers: { origin: url },
  })
  expect(answer.ok()).toBe(true)
}

/**
 * WCAG 2.2 AA, as far as a program can tell. With `only` one rule: what another theme can change is contrast, what another
 * width can is the room around what is pressed.
 */
export async function expectAccessible(page: Page, only?: 'color-contrast' | 'target-size'): Promise<void> {
  // What fades in or out is not what anybody reads: what comes from now on does not fade, and what does so already is at its end.
  await page.emulateMedia({ reducedMotion: 'reduce' })
  await page.evaluate(() => {
    for (const animation of document.getAnimations())
      if (animation.effect?.getComputedTiming().endTime !== Infinity) animation.finish()
  })
  // The other mode opens a page of its own for each look, for frames of other origins: these pages have none.
  // Only of violations it tells every element: a selector for each that is fine takes longer than looking at it.
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ['violations'] })
  if (only === undefined) axe.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
  else axe.withRules(only)
  const { violations } = await axe.analyze()
  const found = violations.map(({ id, help, nodes }) => ({
    id,
    help,
    at: nodes.slice(0, 5).map(({ target, failureSummary }) => `${target.join(' ')}: ${failureSummary ?? ''}`),
  }))
  expect.soft(found, `accessibility of ${page.url()} ${only ?? ''}`).toEqual([])
}

export { expect }
