import type { AuditEntry } from '../contract/index.ts'

/** Of an act, in the order of the fields that its hash is made of. */
export const auditColumns = [
  'seq',
  'at',
  'actor',
  'actorName',
  'role',
  'address',
  'action',
  'target',
  'outcome',
  'status',
  'details',
  'requestId',
  'hash',
] as const satisfies readonly (keyof AuditEntry)[]

/** Records one line each, as they are read page by page: an export of any length takes the memory of one page. */
export async function* exportLines<T extends object>(
  pages: AsyncIterable<readonly T[]>,
  format: 'ndjson' | 'csv',
  columns: readonly (keyof T & string)[],
): AsyncGenerator<string> {
  if (format === 'csv') yield `${columns.join(',')}\r\n`
  for await (const page of pages) {
    yield page
      .map((record) =>
        format === 'csv'
          ? `${columns.map((column) => csvField(record[column])).join(',')}\r\n`
          : `${JSON.stringify(record)}\n`,
      )
      .join('')
  }
}

/** RFC 4180. A text that a spreadsheet would take for a formula is marked as text. */
export function csvField(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'number') return String(value)
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}

/** All pages, newest first. */
export async function* allPages<T>(
  find: (before: number | undefined, limit: number) => Promise<T[]>,
  key: (record: T) => number,
): AsyncGenerator<T[]> {
  const limit = 500
  for (let before: number | undefined; ;) {
    const page = await find(before, limit)
    if (page.length > 0) yield page
    const last = page.at(-1)
    if (last === undefined || page.length < limit) return
    before = key(last)
  }
}
