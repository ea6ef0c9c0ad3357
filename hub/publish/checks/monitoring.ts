import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { LineCounter, parseDocument } from 'yaml'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool } from '../run-tool.ts'
import { failed, passed, textOf, TOOL_TIMEOUT_MS } from './outcome.ts'

const CONFIG = 'ops/prometheus.yml'
const RULES = 'ops/alerts.yml'
const TESTS = 'ops/alerts.test.yml'

/**
 * promtool on configuration and rules; without it, that they are YAML. Their tests depend on no target and play hours through:
 * the project's own tests run them.
 */
export async function checkMonitoring(bundle: Bundle, folder: string): Promise<Check> {
  for (const artifact of [CONFIG, RULES, TESTS]) {
    const lines = new LineCounter()
    const [problem] = parseDocument(textOf(bundle, artifact), { strict: true, lineCounter: lines }).errors
    if (problem !== undefined)
      return failed(artifact, 'yaml', problem.message, {
        line: lines.linePos(problem.pos[0]).line,
        cure: say`Report this as a fault of MCP Hub.`,
      })
  }
  const promtool = await findTool('promtool')
  if (promtool === null)
    return passed(
      RULES,
      'yaml',
      say`Configuration, rules and their tests are YAML. promtool is not installed here, so nothing more was tried.`,
    )
  await mkdir(path.join(folder, 'ops'))
  for (const artifact of [CONFIG, RULES]) await writeFile(path.join(folder, artifact), textOf(bundle, artifact))
  const steps: [string, string[]][] = [
    [CONFIG, ['check', 'config', '--syntax-only', CONFIG]],
    [RULES, ['check', 'rules', '--lint=all', '--lint-fatal', RULES]],
  ]
  for (const [artifact, args] of steps) {
    const result = await runTool(promtool, args, { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
    if (result.code === 0) continue
    const said = result.output.replace(/^Checking.*\n/gm, '').trim()
    return failed(artifact, 'promtool', said || say`promtool ${args[0] ?? ''} did not end in time.`, {
      line: Number(/line (\d+)/.exec(said)?.[1] ?? NaN) || null,
      cure: say`Report this as a fault of MCP Hub.`,
    })
  }
  return passed(RULES, 'promtool', say`promtool accepts configuration and rules.`)
}
