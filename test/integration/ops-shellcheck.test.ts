import { readdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { findTool, runTool } from '../../hub/publish/run-tool.ts'

const shellcheck = await findTool('shellcheck')
const folder = path.resolve(import.meta.dirname, '../../resources/publish/ops')

/** A variable of one script may be set in another that it reads: what a bundle's own check leaves out for want of time. */
describe.skipIf(shellcheck === null)('the scripts of ops/', () => {
  it('are without findings, also from one file to the next', { timeout: 120_000 }, async () => {
    const scripts = readdirSync(folder).filter((name) => name.endsWith('.sh'))
    expect(scripts).toContain('deploy.sh')
    const args = ['--external-sources', '--source-path=SCRIPTDIR', '--format=gcc', ...scripts]
    const result = await runTool(shellcheck ?? '', args, { cwd: folder, timeoutMs: 110_000 })
    expect(result).toEqual({ code: 0, output: '' })
  })
})
