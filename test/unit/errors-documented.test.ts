import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { errorCodes } from '../../hub/contract/index.ts'

it('docs/errors.md lists every error code with its status, and no other', async () => {
  const text = await readFile(path.join(import.meta.dirname, '..', '..', 'docs', 'errors.md'), 'utf8')
  const listed: Record<string, number> = Object.fromEntries(
    [...text.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, code = '', status]) => [code, Number(status)] as const),
  )
  expect(listed).toEqual(errorCodes)
})
