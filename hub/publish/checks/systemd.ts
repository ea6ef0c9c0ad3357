import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { hubPorts } from '../context.ts'
import { findTool, runTool, type ToolResult } from '../run-tool.ts'
import { failed, notChecked, passed, textOf, TOOL_TIMEOUT_MS } from './outcome.ts'

const ARTIFACT = 'systemd/mcp-hub@.service'
const FOLDER = 'systemd/'

/** Of `systemd-analyze security`: 10 is no sandbox at all. What a hub needs (network, V8, notifying) leaves 1.7. */
const MOST_EXPOSURE = 2

/**
 * `systemd-analyze verify` on all units, under the names that they have when they run: of a template it would not know the
 * port. It ends with 0 also where it found a key that systemd does not know, so nothing but silence is good.
 */
export async function checkSystemd(bundle: Bundle, folder: string): Promise<Check> {
  const analyze = await findTool('systemd-analyze')
  if (analyze === null) return notChecked(ARTIFACT, 'systemd-analyze', say`systemd is not installed here.`)
  const [port = 0] = hubPorts(bundle.context.target)
  const units = new Map(
    bundle.files
      .filter((file) => file.path.startsWith(FOLDER))
      .map((file) => [file.path.slice(FOLDER.length).replace('@.', `@${port}.`), textOf(bundle, file.path)]),
  )
  await mkdir(path.join(folder, 'units'))
  for (const [name, text] of units) await writeFile(path.join(folder, 'units', name), localUnit(text))
  const run = (...args: string[]): Promise<ToolResult> =>
    runTool(analyze, args, {
      cwd: path.join(folder, 'units'),
      // The other units are looked for where these are, and then where the system's are.
      env: { SYSTEMD_UNIT_PATH: `${path.join(folder, 'units')}:` },
      timeoutMs: TOOL_TIMEOUT_MS,
    })

  const version = /systemd (\d+)/.exec((await run('--version')).output)?.[1] ?? '(version unknown)'
  const tool = `systemd-analyze ${version}`
  const names = [...units.keys()]
  const verified = await run('verify', '--man=no', ...names.map((name) => `./${name}`))
  if (verified.code !== 0 || verified.output !== '') return describe(verified, 'verify')
  for (const [name, text] of units) {
    const calendar = /^OnCalendar=(.*)$/m.exec(text)?.[1]
    if (calendar === undefined) continue
    const result = await run('calendar', calendar)
    if (result.code !== 0) return describe({ ...result, output: `${name}: ${result.output}` }, 'calendar')
  }
  const exposed: string[] = []
  for (const name of names.filter((name) => name.endsWith('.service'))) {
    const { output } = await run('security', '--no-pager', '--offline=true', `./${name}`)
    const exposure = Number(/exposure level for \S+: (\d+(?:\.\d+)?)/.exec(output)?.[1] ?? NaN)
    if (!(exposure <= MOST_EXPOSURE))
      return describe({ code: 1, output: `${name} is too exposed: ${output.split('\n').at(-1) ?? ''}` }, 'security')
    exposed.push(`${name} ${exposure}`)
  }
  return passed(
    ARTIFACT,
    tool,
    say`systemd-analyze accepts all ${names.length} units. Exposure, of 10: ${exposed.join(', ')}.`,
  )

  function describe({ code, output }: ToolResult, what: string): Check {
    const line = /^(?:\S*\/)?(mcp-hub\S*):(\d+): (.*)$/m.exec(output)
    const file =
      names.indexOf(line?.[1] ?? '') === -1 ? null : `${FOLDER}${line?.[1]?.replace(`@${port}.`, '@.') ?? ''}`
    return failed(
      file ?? ARTIFACT,
      tool,
      line?.[3] ?? (code === null ? say`systemd-analyze ${what} did not end in time.` : output),
      { line: line === null ? null : Number(line[2]), cure: say`Report this as a fault of MCP Hub.` },
    )
  }
}

/** Programs that are on the target only are replaced by this one: systemd says of each that is missing that it is. */
function localUnit(text: string): string {
  return text.replace(/^ExecStart=\S+/gm, `ExecStart=${process.execPath}`)
}
