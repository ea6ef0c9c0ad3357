import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { expect, it } from 'vitest'
import { errorCodes } from '../../hub/contract/index.ts'

it('docs/errors.md lists every error code with its status, and no other', async () => {
  const text = await readFile(path.join(import.meta.dirname, '..', '..', 'docs', 'errors.md'), 'utf8')
  const listed = Object.fromEntries(
    [...text.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map((match) => [match[1], Number(match[2])]),
  )
  expect(listed).toEqual(errorCodes)
})
