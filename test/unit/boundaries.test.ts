import { Linter } from 'eslint'
import tseslint from 'typescript-eslint'
import { describe, expect, it } from 'vitest'
import { boundariesRule, violation } from '../../scripts/lib/boundaries.ts'

describe('import boundaries', () => {
  it.each([
    ['hub/server.ts', 'electron'],
    ['hub/api/servers.ts', '../../main/settings.ts'],
    ['hub/upstream/connection.ts', '../api/servers.ts'],
    ['hub/contract/config.ts', '../config/jsonc.ts'],
    ['hub/contract/config.ts', 'node:path'],
    ['main/tray.ts', 'vue'],
    ['main/tray.ts', '../renderer/lib/format.ts'],
    ['main/boot.ts', '../preload/preload.ts'],
    ['preload/preload.ts', 'node:fs'],
    ['preload/preload.ts', '../main/ipc.ts'],
    ['renderer/lib/api.ts', 'electron'],
    ['renderer/features/servers/form.ts', 'node:path'],
    ['renderer/features/servers/form.ts', '../../../hub/config/jsonc.ts'],
  ])('%s must not import %s', (file, specifier) => {
    expect(violation(file, specifier)).not.toBeNull()
  })

  it.each([
    ['hub/api/servers.ts', '../upstream/upstream.ts'],
    ['hub/contract/config.ts', './errors.ts'],
    ['hub/contract/config.ts', 'zod'],
    ['main/ipc.ts', '../preload/contract.ts'],
    ['main/hub/supervisor.ts', '../../hub/contract/control.ts'],
    ['main/tray-menu.ts', '../renderer/locales/en.json'],
    ['preload/preload.ts', 'electron'],
    ['renderer/lib/api.ts', '../../hub/contract/index.ts'],
    ['renderer/main.ts', 'vue'],
    ['test/unit/tray.test.ts', '../../main/tray-menu.ts'],
  ])('%s may import %s', (file, specifier) => {
    expect(violation(file, specifier)).toBeNull()
  })

  it('are errors of the linter for every way to import, and free for types', () => {
    const code = [
      "import { app } from 'electron'",
      "export * from 'electron'",
      "await import('electron')",
      "import type { App } from 'electron'",
      "export type { App } from 'electron'",
      'void app',
    ].join('\n')
    const messages = new Linter({ cwd: '/repo' }).verify(
      code,
      {
        files: ['**/*.ts'],
        languageOptions: { parser: tseslint.parser },
        plugins: { local: { rules: { boundaries: boundariesRule } } },
        rules: { 'local/boundaries': 'error' },
      },
      { filename: '/repo/hub/server.ts' },
    )
    expect(messages.map(({ line }) => line)).toEqual([1, 2, 3])
  })
})
