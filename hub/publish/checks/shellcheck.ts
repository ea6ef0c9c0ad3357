import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import path from 'node:path'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool, type ToolResult } from '../run-tool.ts'
import { failed, notChecked, passed, TOOL_TIMEOUT_MS } from './outcome.ts'

/**
 * Each script of `ops/` on its own: to follow what they read takes four times as long, so what can only be known then (whether a
 * variable is set or used in another file) is not looked at here; `shellcheck -x -P SCRIPTDIR` does.
 */
const BETWEEN_FILES = 'SC1091,SC2034,SC2153,SC2154'

export async function checkScripts(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'ops/*.sh'
  const shellcheck = await findTool('shellcheck')
  if (shellcheck === null) return notChecked(artifact, 'shellcheck', say`shellcheck is not installed here.`)
  const scripts = bundle.files.flatMap(({ path: name, text }) =>
    text !== null && /^ops\/[^/]+\.sh$/.test(name) ? [{ name, text }] : [],
  )
  await mkdir(path.join(folder, 'ops'))
  await Promise.all(scripts.map(({ name, text }) => writeFile(path.join(folder, name), text)))
  const waiting = scripts.map(({ name }) => name)
  const results: ({ name: string } & ToolResult)[] = []
  // All at once would take each other's time.
  async function work(): Promise<void> {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      const args = ['--shell=bash', '--format=gcc', `--exclude=${BETWEEN_FILES}`, name]
      results.push({ name, ...(await runTool(shellcheck ?? '', args, { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })) })
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  const bad = results.find(({ code }) => code !== 0 && code !== null)
  if (bad === undefined) {
    const late = results.find(({ code }) => code === null)
    if (late !== undefined)
      return notChecked(artifact, 'shellcheck', say`shellcheck did not end in time for ${late.name}.`)
    return passed(artifact, 'shellcheck', say`${scripts.length} scripts, no finding.`)
  }
  const finding = /:(\d+):\d+: (.*)$/m.exec(bad.output)
  const said = finding?.[2] ?? bad.output
  return failed(bad.name, 'shellcheck', said, {
    line: finding === null ? null : Number(finding[1]),
    cure: say`Report this as a fault of MCP Hub.`,
  })
}
