import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

/** What a browser must fetch before it shows the page, as nginx sends it. More than this is felt on a slow line. */
export const FIRST_LOAD_LIMIT = 200_000

/** Bytes, compressed, of the built page with every script and style that its head asks for. */
export function firstLoad(folder: string): number {
  const html = readFileSync(path.join(folder, 'index.html'), 'utf8')
  const files = [...html.matchAll(/(?:src|href)="\/([^"]+\.(?:js|css))"/g)].map(([, file = '']) => file)
  return ['index.html', ...new Set(files)].reduce(
    (sum, file) => sum + gzipSync(readFileSync(path.join(folder, file))).length,
    0,
  )
}
