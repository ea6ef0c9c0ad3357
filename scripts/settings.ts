import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { root } from './lib/paths.mjs'
import { settingsReference } from './lib/settings-reference.ts'

/** Writes docs/settings.md from the table of settings; a test holds it to it. */
await writeFile(path.join(root, 'docs', 'settings.md'), settingsReference())
