import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import { apiReference } from './lib/api-reference.ts'
import { root } from './lib/paths.mjs'

/** Writes docs/API_REFERENCE.md from the tables and schemas of the API; a test holds it to them. */
await writeFile(path.join(root, 'docs', 'API_REFERENCE.md'), apiReference())
