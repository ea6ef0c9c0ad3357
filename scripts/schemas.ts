import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { schemaNames, schemaText } from '../hub/config/json-schemas.ts'
import { root } from './lib/paths.mjs'

/** Writes the JSON Schemas of the configuration files where the page's public files lie; a test holds them to the contracts. */
const folder = path.join(root, 'renderer', 'public', 'schemas')
await mkdir(folder, { recursive: true })
for (const name of schemaNames) await writeFile(path.join(folder, `${name}.json`), schemaText(name))
