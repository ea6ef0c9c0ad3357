import { existsSync } from 'node:fs'
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
  // Each test drives a whole app or a whole server: more at once only makes them wait for each other.
  workers: 1,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  use: { trace: 'retain-on-failure', screenshot: 'only-on-failure' },
  projects: [
    { name: 'desktop', testDir: 'test/e2e/desktop' },
    { name: 'web', testDir: 'test/e2e/web', use: browser },
    {
      name: 'bundle',
      testDir: 'test/e2e/bundle',
      // Builds, installs and starts what a production machine would.
      timeout: 180_000,
      use: { ...browser, ignoreHTTPSErrors: true },
    },
    {
      // `npm run test:bundle:long`: with load, in containers, with the tools that `bundle` can do without.
      name: 'bundle-long',
      testDir: 'test/e2e/bundle-long',
      timeout: 900_000,
      use: { ...browser, ignoreHTTPSErrors: true },
    },
  ],
})
