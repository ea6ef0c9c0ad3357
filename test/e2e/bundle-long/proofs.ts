import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Note } from '../bundle/nginx-behaviour.ts'

const folder = path.resolve(import.meta.dirname, '../../../test-results/proofs')

/** Collects what a file measured, as a table that docs/publishing-proofs.md can take over. */
export function openProofs(title: string): { note: Note; write: () => Promise<void> } {
  const rows: string[] = []
  return {
    note: (what, measured) => rows.push(`| ${what} | ${measured} |`),
    write: async () => {
      const table = `### ${title}\n\n| what | measured |\n|---|---|\n${rows.join('\n')}\n`
      await mkdir(folder, { recursive: true })
      await writeFile(path.join(folder, `${title.toLowerCase().replace(/\W+/g, '-')}.md`), table)
      process.stdout.write(`\n${table}\n`)
    },
  }
}
