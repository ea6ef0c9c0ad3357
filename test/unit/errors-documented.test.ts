import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { errorCodes, reasonSchema } from '../../hub/contract/index.ts'

const docs = path.join(import.meta.dirname, '..', '..', 'docs')

it('docs/errors.md lists every error code with its status, and no other', async () => {
  const text = await readFile(path.join(docs, 'errors.md'), 'utf8')
  const listed: Record<string, number> = Object.fromEntries(
    [...text.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, code = '', status]) => [code, Number(status)] as const),
  )
  expect(listed).toEqual(errorCodes)
})

it('docs/TROUBLESHOOTING.md has a row for each of them, and for each reason of a state', async () => {
  const rows = (await readFile(path.join(docs, 'TROUBLESHOOTING.md'), 'utf8'))
    .split('\n')
    .filter((line) => line.startsWith('| '))
  const told = new Set(rows.flatMap((row) => [...row.matchAll(/`([\w-]+)`/g)].map(([, code = '']) => code)))
  const hubErrors = ['-31001', '-31002', '-31003', '-31004', '-31005']
  const codes = [...Object.keys(errorCodes), ...reasonSchema.shape.code.options, ...hubErrors]
  expect(codes.filter((code) => !told.has(code))).toEqual([])
})
