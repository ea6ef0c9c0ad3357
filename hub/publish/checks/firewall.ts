import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import type { Check } from '../../contract/publish.ts'
import { say } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { findTool, runTool } from '../run-tool.ts'
import { failed, notChecked, passed, textOf, TOOL_TIMEOUT_MS } from './outcome.ts'

/** `nft --check` loads nothing, but asks the kernel, which answers to root only: also to one of a namespace of its own. */
export async function checkFirewall(bundle: Bundle, folder: string): Promise<Check> {
  const artifact = 'ops/firewall.nft'
  const [nft, unshare] = [await findTool('nft'), await findTool('unshare')]
  if (nft === null) return notChecked(artifact, 'nft', say`nftables is not installed here.`)
  if (unshare === null)
    return notChecked(artifact, 'nft', say`unshare is not installed here, and nft asks the kernel as root.`)
  const file = path.join(folder, 'firewall.nft')
  await writeFile(file, textOf(bundle, artifact))
  const alone = ['--user', '--map-root-user', '--net', '--']
  const result = await runTool(unshare, [...alone, nft, '--check', '--file', file], {
    cwd: folder,
    timeoutMs: TOOL_TIMEOUT_MS,
  })
  if (result.code === 0) return passed(artifact, 'nft', say`nft --check accepts it.`)
  if (/unshare|Operation not permitted|cache initialization failed/.test(result.output))
    return notChecked(
      artifact,
      'nft',
      say`The kernel here does not let nft look: ${result.output.split('\n')[0] ?? ''}`,
    )
  const fault = /firewall\.nft:(\d+):\S* (?:Error: )?(.*)/.exec(result.output)
  return failed(artifact, 'nft', fault?.[2] ?? (result.output || say`nft did not end in time.`), {
    line: fault?.[1] === undefined ? null : Number(fault[1]),
    cure: say`Report this as a fault of MCP Hub.`,
  })
}
