import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { compiledCodeOf } from '../../main/hub/compiled-code.ts'

it('keeps the compiled code of this version, and none of any other', () => {
  const parent = join(mkdtempSync(join(tmpdir(), 'compiled-')), 'compiled')
  expect(compiledCodeOf(parent, '1.0.0')).toBe(join(parent, '1.0.0'))
  for (const version of ['0.9.0', '1.0.0']) {
    mkdirSync(join(parent, version, 'node'), { recursive: true })
    writeFileSync(join(parent, version, 'node', 'code'), '')
  }
  expect(compiledCodeOf(parent, '1.0.0')).toBe(join(parent, '1.0.0'))
  expect(readdirSync(parent)).toEqual(['1.0.0'])
  expect(readdirSync(join(parent, '1.0.0', 'node'))).toEqual(['code'])
})
