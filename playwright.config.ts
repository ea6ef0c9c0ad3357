import { existsSync } from 'node:fs'
import path from 'node:path'
import { defineConfig } from '@playwright/test'

const systemChromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((file) => existsSync(file))

// Chromium refuses its sandbox to root; that is what a container runs as.
const browser = {
  launchOptions: {
    ...(systemChromium && { executablePath: systemChromium }),
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  },
  viewport: { width: 1280, height: 800 },
}

export default defineConfig({
  outputDir: 'test-results',
  reporter: 'list',
  forbidOnly: Boolean(process.env['CI']),
  // As in vitest.config.ts: tried once more, and named by `npm test` when it passes only then.
  retries: process.env['CI'] ? 1 : 0,
  // The most of any project; each says how many of these it takes.
  workers: 2,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  // Recording a trace takes a quarter of a test's time, and where CI ends nobody can open one.
  use: { trace: process.env['CI'] ? 'off' : 'retain-on-failure', screenshot: 'only-on-failure' },
  projects: [
    // Each test drives a whole app or a whole server: more at once mostly makes them wait for each other.
    { name: 'desktop', testDir: 'test/e2e/desktop', workers: 1 },
    // Each worker has a hub of its own; one is busy with the accessibility of every page while the other does all else.
    { name: 'web', testDir: 'test/e2e/web', use: browser, workers: 2 },
    {
      // Pictures that are compared: the same fonts, drawn in the same way, wherever they are made.
      name: 'visual',
      workers: 1,
      testDir: 'test/e2e/visual',
      // Each takes many pictures.
      timeout: 240_000,
      snapshotPathTemplate: 'test/e2e/visual/snapshots/{arg}{ext}',
      expect: { timeout: 20_000, toHaveScreenshot: { maxDiffPixelRatio: 0.01 } },
      use: {
        ...browser,
        launchOptions: {
          ...browser.launchOptions,
          args: [...browser.launchOptions.args, '--font-render-hinting=none', '--disable-lcd-text'],
          env: { ...process.env, FONTCONFIG_FILE: path.join(import.meta.dirname, 'test/e2e/visual/fonts.conf') },
        },
        contextOptions: { reducedMotion: 'reduce' },
        timezoneId: 'UTC',
        // The pictures tell what differs; a trace of each would take longer than all of them.
        screenshot: 'off',
        trace: 'off',
      },
    },
    {
      name: 'bundle',
      workers: 1,
      testDir: 'test/e2e/bundle',
      // Builds, installs and starts what a production machine would.
      timeout: 180_000,
      use: { ...browser, ignoreHTTPSErrors: true },
    },
    {
      // `npm run test:bundle:long`: with load, in containers, with the tools that `bundle` can do without.
      name: 'bundle-long',
      workers: 1,
      testDir: 'test/e2e/bundle-long',
      timeout: 900_000,
      use: { ...browser, ignoreHTTPSErrors: true },
    },
  ],
})
