import { systemFileSchema, type SystemFile } from '../contract/index.ts'
import type { Sources } from './interpolate.ts'
import type { Parsed } from './jsonc.ts'
import { parseWith } from './schema-faults.ts'

/**
 * `system.json` as text. With `sources` every `${…}` in it gets its value, and one that has none is a fault: never is the
 * reference itself taken for the value. Without, a file is checked for another machine, which has the values.
 */
export function parseSystemFile(text: string, file: string | null, sources?: Sources): Parsed<SystemFile> {
  return parseWith(systemFileSchema, text, file, sources ?? 'unresolved')
}
