import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

/**
 * Real processes on a busy machine: where nobody can look at once, what fails is tried once more. `npm test` names
 * each test that passed only then, so that its race is found.
 */
const retry = process.env['CI'] ? 1 : 0

export default defineConfig({
  test: {
    coverage: { provider: 'v8', include: ['hub/**', 'main/**', 'preload/**', 'renderer/**'] },
    projects: [
      {
        // Properties are tried with many inputs, which takes a busy machine more than the five seconds of the default.
        test: { name: 'unit', environment: 'node', include: ['test/unit/**/*.test.ts'], testTimeout: 20_000 },
      },
      {
        plugins: [vue()],
        test: { name: 'ui', environment: 'happy-dom', include: ['test/ui/**/*.test.ts'], testTimeout: 20_000 },
      },
      {
        test: {
          name: 'integration',
          environment: 'node',
          include: ['test/integration/**/*.test.ts'],
          // Each file starts hubs and server processes of its own; a fork ends with all of them.
          pool: 'forks',
          // Most of them wait most of the time: one at a time, which is the default on two cores, takes twice as long.
          maxWorkers: 2,
          retry,
          testTimeout: 30_000,
          hookTimeout: 30_000,
          // What is waited for must come, not come at once: a busy machine takes its time.
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        // `npm run chaos`: the long form of what `integration` runs in short.
        test: {
          name: 'chaos',
          environment: 'node',
          include: ['test/integration/chaos/**/*.test.ts'],
          pool: 'forks',
          env: { MCP_HUB_CHAOS: 'long' },
        },
      },
      {
        // `npm run fuzz`: 100,000 inputs to every endpoint, where `integration` sends some hundreds.
        test: {
          name: 'fuzz',
          environment: 'node',
          include: ['test/integration/fuzz/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 30_000,
          hookTimeout: 60_000,
          env: { MCP_HUB_FUZZ: 'long' },
        },
      },
    ],
  },
})
