import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool } from '../run-tool.ts'
import { failed, notChecked, passed, textOf, TOOL_TIMEOUT_MS } from './outcome.ts'

/** The hub's user exists only on the target, so here the files are looked at as the user who publishes. */
export async function checkLogrotate(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'ops/logrotate.conf'
  const logrotate = await findTool('logrotate')
  if (logrotate === null) return notChecked(artifact, 'logrotate', say`logrotate is not installed here.`)
  const file = path.join(folder, 'logrotate.conf')
  const local = textOf(bundle, artifact).replace(/^( *(?:su|create 0640)) mcp-hub mcp-hub$/gm, '')
  await writeFile(file, local, { mode: 0o644 })
  const args = ['--debug', '--state', path.join(folder, 'state'), file]
  const result = await runTool(logrotate, args, { cwd: folder, timeoutMs: TOOL_TIMEOUT_MS })
  const fault = /^error: (?:\S+:(\d+) )?(.*)$/m.exec(result.output)
  if (result.code === 0 && fault === null) return passed(artifact, 'logrotate', say`logrotate --debug accepts it.`)
  return failed(artifact, 'logrotate', fault?.[2] ?? result.output, {
    line: fault?.[1] === undefined ? null : Number(fault[1]),
    cure: say`Report this as a fault of MCP Hub.`,
  })
}
