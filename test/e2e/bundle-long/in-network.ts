import { test as base } from '@playwright/test'
import type { Engine } from './engine.ts'
import { install, type Installed } from './installed.ts'
import { createNetwork, type Network } from './network.ts'
import { DOMAIN } from './published.ts'

/** Tests of a file that share a network of their own, in which Chromium finds the bundle's domain. */
export const inNetwork = base.extend<object, { network: Network }>({
  network: [
    async ({}, use) => {
      const network = await createNetwork()
      await use(network)
      await network.dispose()
    },
    { scope: 'worker' },
  ],
  launchOptions: [
    async ({ launchOptions, network }, use) => {
      const rules = `--host-resolver-rules=MAP ${DOMAIN} ${network.address}`
      await use({ ...launchOptions, args: [...(launchOptions.args ?? []), rules] })
    },
    { scope: 'worker' },
  ],
})

/** The same with a bundle that is installed there below `root`, with `install`'s options of `publish` and preparation. */
export const withInstalled = (
  root: string,
  options: string[] = [],
  prepare?: (engine: Engine, bundle: string) => Promise<unknown>,
) =>
  inNetwork.extend<object, { installed: Installed }>({
    installed: [
      async ({ network }, use) => {
        const installed = await install(network, root, options, prepare)
        await use(installed)
        await installed.dispose()
      },
      { scope: 'worker', timeout: 600_000 },
    ],
  })
