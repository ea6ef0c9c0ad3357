import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type BrowserContext, chromium, type Page } from 'playwright'
import { buildStale } from './lib/build-stale.mjs'
import { answerAsDesktop, desktopAnswers } from './lib/example-targets.ts'
import { root } from './lib/paths.mjs'
import {
  appServers,
  exampleCalls,
  exampleGuards,
  examplePeople,
  exampleProfiles,
  exampleServers,
  exampleWebhooks,
  PASSWORD,
  startHub,
} from './lib/shot-hub.ts'
import { asNewcomer, makeTrouble, screens, type Screen } from './lib/shot-screens.ts'
import { chromium as systemChromium } from './lib/system-packages.mjs'

/** `npm run shots [-- --only servers,login] [--looks light.en,dark.en]`: every screen, as a picture in shots/. */
const themes = ['light', 'dark'] as const
const locales = ['en', 'zh-CN'] as const
const sizes = {
  wide: { width: 1280, height: 800 },
  narrow: { width: 720, height: 900 },
  phone: { width: 390, height: 844 },
}

const { values } = parseArgs({ options: { only: { type: 'string' }, looks: { type: 'string' } } })
const only = values.only?.split(',')
const looks = values.looks?.split(',')
const chosen = screens.filter(({ name }) => !only || only.includes(name))

/** Waits until the page shows its heading and nothing but the event stream is on its way any more. */
async function settle(page: Page, pending: ReadonlySet<string>): Promise<void> {
  await page.locator('h1').first().waitFor({ timeout: 10_000 })
  const deadline = Date.now() + 10_000
  let quietSince = Date.now()
  while (Date.now() - quietSince < 300 && Date.now() < deadline) {
    await page.evaluate('new Promise(requestAnimationFrame)')
    const loading = await page
      .getByRole('status')
      .filter({ has: page.locator('[aria-hidden="true"] .bg-pressed') })
      .count()
    if (pending.size > 0 || loading > 0) quietSince = Date.now()
  }
  await page.evaluate('document.fonts.ready.then(() => true)')
}

async function logIn(context: BrowserContext, url: string): Promise<void> {
  const answer = await context.request.post(`${url}/api/auth/login`, {
    data: { username: 'admin', password: PASSWORD },
    headers: { origin: url },
  })
  if (!answer.ok()) throw new Error(`login: ${String(answer.status())} ${await answer.text()}`)
}

async function shoot(context: BrowserContext, base: string, screen: Screen, file: string): Promise<string[]> {
  const faults: string[] = []
  const page = await context.newPage()
  const pending = new Set<string>()
  page.on('request', (request) => {
    if (!request.url().includes('/api/events')) pending.add(request.url())
  })
  page.on('requestfinished', (request) => pending.delete(request.url()))
  page.on('requestfailed', (request) => pending.delete(request.url()))
  page.on('pageerror', (error) => faults.push(error.message))
  // A refused request is what some screens are about; anything else in the console is a fault.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text())
  })
  if (screen.trouble) await makeTrouble(page, screen.trouble)
  if (screen.newcomer) await asNewcomer(page)
  const { desktop } = screen
  if (desktop) await page.addInitScript(answerAsDesktop, desktopAnswers(desktop))
  try {
    await page.goto(base + screen.path)
    await settle(page, pending)
    if (desktop && !desktop.endsWith('targets')) {
      await page.locator('main button:has(.lucide-rocket)').click()
      await settle(page, pending)
    }
    if (screen.act) {
      await screen.act(page)
      await settle(page, pending)
    }
  } catch (error) {
    faults.push(error instanceof Error ? error.message : String(error))
  }
  // Lists and tables scroll by themselves; neither the page nor what it shows may be wider than there is room for.
  const tooWide = await page.evaluate<boolean>(
    `[document.documentElement, ...document.querySelectorAll('main')].some((box) => box.scrollWidth > box.clientWidth)`,
  )
  if (tooWide) faults.push('it has to be scrolled sideways')
  await page.screenshot({ path: file })
  await page.close()
  return faults
}

await buildStale()
const output = path.join(root, 'shots')
if (!only && !looks) rmSync(output, { recursive: true, force: true })
mkdirSync(output, { recursive: true })

const executablePath = systemChromium()
const browser = await chromium.launch({
  ...(executablePath && { executablePath }),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
})
const example = await startHub(exampleServers, exampleProfiles)
const empty = await startHub(() => ({}))
const fresh = await startHub(() => ({}), {}, null)
const apps = await startHub(() => appServers)
const first = await browser.newContext()
await logIn(first, example.url)
await exampleCalls(first.request, example.url)
await exampleGuards(first.request, example.url)
await examplePeople(first.request, example.url)
await exampleWebhooks(first.request, example.url)
const kept = await first.request.post(`${example.url}/api/backups`, { headers: { origin: example.url } })
if (!kept.ok()) throw new Error(`backup: ${String(kept.status())} ${await kept.text()}`)
await first.close()
const hubs = { example, empty, new: fresh, apps }
const groups = Object.entries(hubs).flatMap(([name, hub]) =>
  [true, false].map((anonymous) => ({
    hub,
    anonymous,
    members: chosen.filter((screen) => (screen.hub ?? 'example') === name && (screen.anonymous ?? false) === anonymous),
  })),
)
const faults: string[] = []
let count = 0
try {
  for (const locale of locales) {
    for (const theme of themes) {
      for (const [size, viewport] of Object.entries(sizes)) {
        // These are about the layout: one theme shows it, unless somebody asks.
        if (size !== 'wide' && theme === 'dark' && looks === undefined) continue
        const look = [theme, locale, ...(size === 'wide' ? [] : [size])].join('.')
        if (looks?.includes(look) === false) continue
        // One context each: cookies know hosts, not ports, and the hubs share a host.
        for (const { hub, members, anonymous } of groups) {
          if (members.length === 0) continue
          const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: 'reduce', locale })
          // Only of the page: the frame of an app has no storage.
          const store = `localStorage.setItem('mcp-hub.theme', '${theme}'); localStorage.setItem('mcp-hub.locale', '${locale}')`
          await context.addInitScript({ content: `if (self === top) { ${store} }` })
          if (!anonymous) await logIn(context, hub.url)
          for (const screen of members) {
            const name = `${screen.name}.${look}`
            const found = await shoot(context, hub.url, screen, path.join(output, `${name}.png`))
            faults.push(...found.map((fault) => `${name}: ${fault}`))
            count += 1
          }
          await context.close()
        }
      }
    }
  }
} finally {
  await browser.close()
  await Promise.all(Object.values(hubs).map((hub) => hub.dispose()))
}
console.log(`${String(count)} pictures in shots/`)
if (faults.length > 0) {
  console.error(`The pages reported faults:\n${[...new Set(faults)].join('\n')}`)
  process.exitCode = 1
}
